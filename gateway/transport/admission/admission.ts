import type { ResponseCaching } from '../../cache/rules/responseCaching.ts';
import { GatewayError } from '../../errors.ts';
import { aroundData } from '../../response/answerText.ts';
import type {
  AnswerContent,
  ExecutionOutcome,
  IncrementalOutcome,
  SubscriptionOutcome,
} from '../../response/outcome.ts';
import { Refusal } from '../refusal.ts';
import type { SupergraphView } from '../supergraphView.ts';
import type { ApolloPipeline, ApolloRequest, Respond } from './apolloServer.ts';
import type { ClientRequest } from './clientRequest.ts';
import type { KnownOperations } from './knownOperations.ts';
import { checkPersistedQuery } from './persistedQuery.ts';

export interface AdmissionOptions {
  readonly supergraphs: SupergraphView;
  readonly apollo: ApolloPipeline;
  /** Operations that need not pass Apollo Server again. */
  readonly known: KnownOperations | undefined;
  readonly respond: Respond;
  /** Throws a `Refusal` for a text beyond the limits. */
  readonly checkText: (text: string) => void;
  /** Throws a `Refusal` for variables beyond the limits. */
  readonly checkVariables: (variables: unknown) => void;
  /** Most operations in one request; 0 refuses JSON arrays. */
  readonly batchedOperations: number;
}

/** One request of any transport, put as the HTTP request that asks the same. A `POST` without a body is one whose body
 *  could not be read: CSRF prevention has the word. */
export interface AdmissionRequest extends ApolloRequest {
  /** Whether a JSON array can be answered: in one piece only. */
  readonly takesArrays: boolean;
}

/** An answer in one piece, as it was for HTTP: other transports leave out what they have no place for. */
export interface CompleteAdmission {
  readonly kind: 'complete';
  readonly status: number;
  readonly headers: ReadonlyMap<string, string>;
  readonly content: AnswerContent;
  /** Whether the pipeline wrote it: then it has `data`. */
  readonly isExecuted: boolean;
  readonly caching: ResponseCaching | undefined;
}

/** An answer in several pieces. Whoever gets it ends it, by `return()` if not by reading to the end. */
export interface StreamAdmission {
  readonly kind: 'stream';
  readonly headers: ReadonlyMap<string, string>;
  readonly outcome: IncrementalOutcome | SubscriptionOutcome;
}

export type Admitted = CompleteAdmission | StreamAdmission;

const noHeaders: ReadonlyMap<string, string> = new Map();

/** The way of every operation from its transport to the pipeline: limits, persisted queries, Apollo Server's parsing,
 *  validation and plugins. One for all transports, so that none of them admits what another refuses. */
export class Admission {
  readonly #options: AdmissionOptions;

  constructor(options: AdmissionOptions) {
    this.#options = options;
  }

  /** Throws a `Refusal` (503) as long as nothing can be answered. */
  checkReady(): void {
    if (this.#options.supergraphs.current() !== undefined) return;
    throw new Refusal(
      503,
      'The gateway has no supergraph yet. Try again; what is missing stands in /health/ready and in the log.',
      { code: 'SUPERGRAPH_UNAVAILABLE' },
    );
  }

  /** The answer to a request, to be asked for after `checkReady`. The supergraph is held in `client` until its owner
   *  releases it. Throws a `Refusal` for what Apollo Server need not see, and what executing threw. */
  async admit(request: AdmissionRequest, client: ClientRequest): Promise<Admitted> {
    const admitted = await this.#admit(request, client);
    // It goes on with each new supergraph: the one that it began with must not stay for its sake.
    if (admitted.kind === 'stream' && admitted.outcome.kind === 'subscription') client.releaseSupergraph();
    return admitted;
  }

  async #admit(request: AdmissionRequest, client: ClientRequest): Promise<Admitted> {
    const { method, search, body } = request;
    if (body !== undefined) this.#checkBody(body, request.takesArrays);
    this.#checkTexts(method, search, body);
    if (method === 'POST' && search === '') {
      const answer = await this.#answerKnown(body, client);
      if (answer !== undefined) return answer;
    }
    const result = await this.#options.apollo.execute(request, client);
    const { headers } = result;
    const left = client.takeAnswer();
    const text = result.body.kind === 'complete' ? result.body.string : '';
    if (left !== undefined && left.kind !== 'complete') {
      if (text === '') return { kind: 'stream', headers, outcome: left };
      // A plugin failed after execution: its error is the answer, and the payloads are nobody's.
      const payloads = left.kind === 'incremental' ? left.payloads : left.events;
      await payloads[Symbol.asyncIterator]().return?.();
    }
    const status = result.status ?? 200;
    if (left?.kind === 'complete' && text === '') {
      const { caching } = left;
      return { kind: 'complete', status, headers, content: left.text.take(), isExecuted: true, caching };
    }
    return { kind: 'complete', status, headers, content: text, isExecuted: false, caching: undefined };
  }

  /** Answers an operation that Apollo Server has seen before. `undefined` where nothing has been executed: then
   *  Apollo Server says why, in its own form. */
  async #answerKnown(body: unknown, client: ClientRequest): Promise<Admitted | undefined> {
    const { known, supergraphs, respond } = this.#options;
    const supergraph = supergraphs.current();
    const operation = known?.find(body, supergraph);
    if (operation === undefined || supergraph === undefined) return undefined;
    if (!client.takes(operation.kind)) return undefined;
    client.holdSupergraph(supergraphs);
    const { document, operationName, variables, cursor } = operation;
    const { headers, incremental, connectionParams, clientAddress, requestId, signal } = client;
    const resumeAfter = client.lastEventId ?? cursor;
    let outcome: ExecutionOutcome;
    try {
      outcome = await respond(
        {
          document,
          operationName,
          variables,
          headers,
          incremental,
          resumeAfter,
          connectionParams,
          clientAddress,
          requestId,
          signal,
        },
        supergraph,
      );
    } catch (error) {
      // Refused before anything was executed. After any other error a second try might execute a mutation again.
      if (error instanceof GatewayError && error.code !== 'REQUEST_ABORTED') return undefined;
      throw error;
    }
    if (outcome.kind !== 'single') return { kind: 'stream', headers: noHeaders, outcome };
    if (outcome.data === undefined) return undefined;
    const { errors, extensions, caching } = outcome;
    const { before, after } = aroundData(errors, extensions);
    return {
      kind: 'complete',
      status: 200,
      headers: new Map([['content-type', `${headers.get('accept')}; charset=utf-8`]]),
      content: outcome.data.takeWithin(before, after),
      isExecuted: true,
      caching,
    };
  }

  /** Throws a `Refusal` for JSON that holds no operation, or several where they are not taken. */
  #checkBody(body: unknown, takesArrays: boolean): void {
    if (!Array.isArray(body)) {
      if (isObject(body) && Object.keys(body).length > 0) return;
      throw new Refusal(400, 'The request body must be a JSON object with a `query`: {"query": "…"}.');
    }
    if (this.#options.batchedOperations === 0) {
      throw new Refusal(
        400,
        'The request body is a JSON array, and several operations in one request are off (limits.batchedOperations). Send one JSON object.',
      );
    }
    if (!takesArrays) {
      throw new Refusal(
        406,
        'A JSON array of operations is answered in one piece, which the accept header does not allow. Accept application/json.',
      );
    }
  }

  /** Throws a `Refusal` where a text of this request goes beyond the limits. */
  #checkTexts(method: string, search: string, body: unknown): void {
    const { batchedOperations } = this.#options;
    if (method === 'GET') {
      const parameters = new URLSearchParams(search);
      this.#checkOperation({
        query: parameters.get('query'),
        variables: parseJsonOrNothing(parameters.get('variables')),
        extensions: parseJsonOrNothing(parameters.get('extensions')),
      });
      return;
    }
    if (!Array.isArray(body)) {
      if (isObject(body)) this.#checkOperation(body);
      return;
    }
    if (batchedOperations > 0 && body.length > batchedOperations) {
      throw new Refusal(
        400,
        `The request holds ${body.length} operations; at most ${batchedOperations} are allowed (limits.batchedOperations).`,
        { code: 'OPERATION_TOO_COMPLEX' },
      );
    }
    for (const item of body) if (isObject(item)) this.#checkOperation(item);
  }

  #checkOperation({ query, variables, extensions }: Readonly<Record<string, unknown>>): void {
    const { apollo, checkText, checkVariables } = this.#options;
    const text = typeof query === 'string' ? query : undefined;
    if (text !== undefined) checkText(text);
    checkVariables(variables);
    const persisted = isObject(extensions) ? extensions.persistedQuery : undefined;
    checkPersistedQuery(persisted, text);
    if (text !== undefined || !isObject(persisted)) return;
    const registered = apollo.persistedText(String(persisted.sha256Hash));
    if (registered !== undefined) checkText(registered);
  }
}

function isObject(value: unknown): value is Record<string, unknown> {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}

function parseJsonOrNothing(text: string | null): unknown {
  if (text === null) return undefined;
  try {
    return JSON.parse(text);
  } catch {
    return undefined;
  }
}
