import { parseExactJson } from '../json/exactJson.ts';
import { readResult } from '../subgraphs/bufferedResponse.ts';
import type { CallHead, CallHooks, OutgoingCall } from '../subgraphs/callHooks.ts';
import { resolveInSlices } from '../time/slicedTask.ts';
import { toHeaderMap } from '../transport/http/toHeaderMap.ts';
import type { Extension, SubgraphHttpRequest, SubgraphHttpResponse, SubgraphResult } from './extension.ts';
import { type HookRunner, hooksOf } from './extensionHooks.ts';
import { checkSubgraphHeader } from './headerEditor.ts';

interface CallHooksOptions {
  readonly extensions: readonly Extension[];
  readonly runner: HookRunner;
  /** Milliseconds. */
  attemptTimeoutOf(subgraph: string): number;
}

/** The hooks of extensions for HTTP requests to subgraphs; `undefined` if no extension has them. Each may take half of the
 *  subgraph's attempt timeout: with all of it, a hook that does not end would look like a timeout of the subgraph. */
export function createCallHooks({
  extensions,
  runner,
  attemptTimeoutOf,
}: CallHooksOptions): CallHooks | undefined {
  const requestHooks = hooksOf(extensions, 'onSubgraphRequest');
  const responseHooks = hooksOf(extensions, 'onSubgraphResponse');
  if (requestHooks === undefined && responseHooks === undefined) return undefined;
  const boundsOf = ({ subgraph, requestId }: { subgraph: string; requestId: string }) => {
    const option = 'half of timeouts.attempt';
    return { subgraph, requestId, timeoutMs: attemptTimeoutOf(subgraph) / 2, option };
  };
  return {
    beforeSend:
      requestHooks &&
      (async (call) => {
        const request = new RequestView(call);
        for (const hook of requestHooks) await runner.run(hook, () => hook.call(request), boundsOf(call));
      }),
    afterResponse:
      responseHooks &&
      (async (head, readOriginal) => {
        const response = new ResponseView(head, readOriginal);
        for (const hook of responseHooks)
          await runner.run(hook, async () => response.replace(await hook.call(response)), boundsOf(head));
        return response.replacement;
      }),
  };
}

class RequestView implements SubgraphHttpRequest {
  readonly subgraph;
  readonly url;
  readonly body;
  readonly requestId;
  readonly #pairs: string[];

  constructor({ subgraph, url, body, requestId, headers }: OutgoingCall) {
    this.subgraph = subgraph;
    this.url = url;
    this.body = body;
    this.requestId = requestId;
    this.#pairs = headers;
  }

  get headers(): ReadonlyMap<string, string> {
    const pairs = this.#pairs;
    return new Map(
      Array.from({ length: pairs.length / 2 }, (_, n) => [
        pairs[2 * n] as string,
        pairs[2 * n + 1] as string,
      ]),
    );
  }

  /** A field, so that hooks may destructure the request. */
  readonly setHeader = (name: string, value: string): void => {
    const lowerCased = name.toLowerCase();
    checkSubgraphHeader(lowerCased, value, { allowsTracing: true });
    const pairs = this.#pairs;
    for (let n = pairs.length - 2; n >= 0; n -= 2) if (pairs[n] === lowerCased) pairs.splice(n, 2);
    pairs.push(lowerCased, value);
  };
}

class ResponseView implements SubgraphHttpResponse {
  readonly subgraph;
  readonly url;
  readonly requestId;
  readonly status;
  /** JSON text of what a hook returned. */
  replacement: string | undefined;
  readonly #head: CallHead;
  readonly #readOriginal: () => Promise<SubgraphResult | undefined>;
  #headers: ReadonlyMap<string, string> | undefined;

  constructor(head: CallHead, readOriginal: () => Promise<SubgraphResult | undefined>) {
    this.subgraph = head.subgraph;
    this.url = head.url;
    this.requestId = head.requestId;
    this.status = head.status;
    this.#head = head;
    this.#readOriginal = readOriginal;
  }

  get headers(): ReadonlyMap<string, string> {
    this.#headers ??= toHeaderMap(this.#head.headers);
    return this.#headers;
  }

  /** A field, so that hooks may destructure the response. */
  readonly readResult = async (): Promise<SubgraphResult | undefined> => {
    if (this.replacement !== undefined) return parseExactJson(this.replacement) as SubgraphResult;
    const result = await this.#readOriginal();
    if (result === undefined) return undefined;
    const { data, errors, extensions } = result;
    return {
      data,
      ...(errors === undefined ? {} : { errors }),
      ...(extensions === undefined ? {} : { extensions }),
    };
  };

  /** @throws {TypeError} for a value that is not a GraphQL result. */
  async replace(result: unknown): Promise<void> {
    if (result === undefined) return;
    const text = JSON.stringify(result);
    const read =
      text === undefined
        ? new Error('it is not JSON')
        : await resolveInSlices(readResult(parseExactJson(text)));
    if (read instanceof Error) {
      throw new TypeError(
        `onSubgraphResponse returned something that is not a GraphQL result: ${read.message}.`,
      );
    }
    this.replacement = text;
  }
}
