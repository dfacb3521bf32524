import { createFinding, type Finding } from '../../../contracts/finding.ts';
import { isHttpUrl } from '../../config/isHttpUrl.ts';
import { messageOf } from '../../errors.ts';
import { schemaFetchLimits, sendHttpRequest } from '../../supergraph/sources/httpRequest.ts';
import { nameTlsSettings } from '../../tls/explainTlsError.ts';
import { CommandError, exitCode } from '../exitCode.ts';

/** What the admin listener of a running gateway reports. */
export interface RunningGateway {
  /** SDL of its supergraph. Undefined when it has none, or cannot be read. */
  readonly sdl?: string | undefined;
  /** Subgraph URLs by name. */
  readonly subgraphs: ReadonlyMap<string, string>;
  /** Why its supergraph is not known. */
  readonly findings: readonly Finding[];
}

/** Fetches the supergraph from a gateway's admin listener.
 *  @throws {CommandError} when `adminUrl` is not a URL. */
export async function readRunningGateway(adminUrl: string, signal: AbortSignal): Promise<RunningGateway> {
  if (!isHttpUrl(adminUrl)) {
    throw new CommandError(
      exitCode.usageError,
      `--gateway is "${adminUrl}"; expected: the URL of an admin listener, such as http://127.0.0.1:4001.`,
    );
  }
  const request = {
    method: 'GET',
    headers: { accept: 'application/json' },
    proxyEnv: process.env,
  } as const;
  try {
    const url = new URL('/supergraph', adminUrl);
    const { status, body } = await sendHttpRequest(url, request, signal, schemaFetchLimits);
    if (status !== 200) return unknownSupergraph(adminUrl, `it answers with status ${status}`);
    const { supergraph } = JSON.parse(body.toString()) as SupergraphResponse;
    if (supergraph === undefined)
      return unknownSupergraph(adminUrl, 'the answer is not that of an admin listener');
    if (supergraph === null) return unknownSupergraph(adminUrl, 'it has no supergraph yet');
    return {
      sdl: supergraph.sdl,
      subgraphs: new Map(supergraph.subgraphs.map(({ name, url: reached }) => [name, reached])),
      findings: [],
    };
  } catch (error) {
    signal.throwIfAborted();
    return unknownSupergraph(adminUrl, nameTlsSettings(messageOf(error), { ca: 'NODE_EXTRA_CA_CERTS' }));
  }
}

interface SupergraphResponse {
  readonly supergraph?: null | {
    readonly sdl: string;
    readonly subgraphs: readonly { readonly name: string; readonly url: string }[];
  };
}

function unknownSupergraph(adminUrl: string, reason: string): RunningGateway {
  const finding = createFinding('gateway-unreachable', {
    message: `The gateway at ${adminUrl} does not report its supergraph: ${reason.replace(/\.$/, '')}.`,
    advice: /certificate/i.test(reason)
      ? 'Correct the certificate or the URL. If both are right, name the authority in NODE_EXTRA_CA_CERTS.'
      : undefined,
  });
  return { subgraphs: new Map(), findings: [finding] };
}
