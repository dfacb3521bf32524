import { setTimeout as wait } from 'node:timers/promises';
import { ConfigError } from '../../gateway/config/configError.ts';
import { messageOf } from '../../gateway/errors.ts';
import { describeReadError } from '../../gateway/files/describeReadError.ts';
import { readTextFile } from '../../gateway/files/readTextFile.ts';
import { fetchSubgraphSdl, type SubgraphAddress } from '../../gateway/supergraph/sources/fetchSubgraphSdl.ts';
import type { Contracts, SubgraphContract } from '../contractStore.ts';
import { createFinding, type Finding } from '../finding.ts';
import { displayPath } from './displayPath.ts';
import { placeholderUrl, printSchemaFile, readSchema } from './schemaFile.ts';

export interface ReadCandidatesOptions {
  /** The accepted contracts. A candidate has the URL of its contract. */
  readonly known: Contracts;
  /** Fetches the SDL of a running subgraph. */
  readonly fetchSdl?: ((address: SubgraphAddress) => Promise<string>) | undefined;
  /** Milliseconds before the second attempt. */
  readonly retryAfterMs?: number | undefined;
}

export interface Candidates {
  readonly contracts: Contracts;
  /** `misuse` for wrong arguments, files and SDL, `undecided` for subgraphs that do not answer. */
  readonly problems: readonly Finding[];
}

const argumentPattern = /^([^=/\\.][^=/\\]*)=(.+)$/s;
const urlPattern = /^https?:\/\//i;

/** Reads candidates from arguments `NAME=FILE` or `NAME=URL`.
 *  @throws {ConfigError} when `fetchSdl` does. */
export async function readCandidates(
  candidateArguments: readonly string[],
  options: ReadCandidatesOptions,
): Promise<Candidates> {
  const contracts = new Map<string, SubgraphContract>();
  const problems: Finding[] = [];
  const seen = new Set<string>();
  const reading = candidateArguments.map((argument) => {
    const [, name, source] = argumentPattern.exec(argument) ?? [];
    if (name === undefined || source === undefined || (urlPattern.test(source) && !URL.canParse(source))) {
      return { problems: [malformedArgument(argument)] };
    }
    if (seen.has(name)) return { problems: [duplicateSubgraph(name)] };
    seen.add(name);
    return readCandidate(name, source, options);
  });
  for (const read of await Promise.all(reading)) {
    problems.push(...read.problems);
    if ('contract' in read && read.contract !== undefined) contracts.set(read.contract.name, read.contract);
  }
  return { contracts, problems };
}

async function readCandidate(name: string, source: string, options: ReadCandidatesOptions) {
  const isUrl = urlPattern.test(source);
  const text = isUrl ? await fetchText(name, source, options) : await readText(name, source);
  if (typeof text !== 'string') return { problems: [text] };
  const accepted = options.known.get(name);
  const acceptedUrl = accepted?.url;
  const hasAcceptedUrl = acceptedUrl !== undefined && acceptedUrl !== placeholderUrl(name);
  const url = hasAcceptedUrl ? acceptedUrl : isUrl ? withoutCredentials(source) : undefined;
  const read = readSchema({
    name,
    file: isUrl ? withoutCredentials(source) : displayPath(source),
    text,
    url,
  });
  // Without the line with the URL, which a store has, a file with the same schema would count as a change.
  const isAccepted =
    read.contract !== undefined &&
    accepted !== undefined &&
    printSchemaFile(read.contract) === printSchemaFile(accepted);
  return isAccepted ? { ...read, contract: accepted } : read;
}

async function readText(name: string, path: string): Promise<string | Finding> {
  return await readTextFile(path).catch((error: unknown) =>
    createFinding('candidate-unreadable', {
      message: `${displayPath(path)} ${describeReadError(error)}.`,
      location: { file: displayPath(path), line: 1, column: 1 },
      subgraph: name,
    }),
  );
}

async function fetchText(
  name: string,
  url: string,
  { fetchSdl = fetchWithDefaults, retryAfterMs = 1_000 }: ReadCandidatesOptions,
): Promise<string | Finding> {
  const address = { name, url };
  try {
    // A running deployment or a broken connection is usually over soon.
    return await fetchSdl(address).catch((error: unknown) => {
      if (error instanceof ConfigError) throw error;
      return wait(retryAfterMs).then(() => fetchSdl(address));
    });
  } catch (error) {
    if (error instanceof ConfigError) throw error;
    const advice = 'Start the subgraph, or check a file with its SDL (--subgraph NAME=FILE).';
    return unreachableSubgraph(address, messageOf(error), advice);
  }
}

/** `advice`: what to do if the reason does not tell. */
export function unreachableSubgraph(
  { name, url }: SubgraphAddress,
  reason: string,
  advice?: string,
): Finding {
  return createFinding('subgraph-unreachable', {
    message: `${withoutCredentials(url)} did not give its schema: ${reason.replace(/\.$/, '')}. Both attempts failed.`,
    advice: adviceForReason(name, reason) ?? advice,
    subgraph: name,
  });
}

function adviceForReason(name: string, reason: string): string | undefined {
  if (/^the response \(status 40[13]\)/.test(reason))
    return `The subgraph wants credentials: give them in the headers of ${name} in supergraph.subgraphs of the configuration.`;
  if (/^the response \(status \d+\) has (errors|no SDL)/.test(reason))
    return 'Something answers at this URL. Check that it is the subgraph itself, and that it answers `{ _service { sdl } }` to this client.';
  if (/certificate/i.test(reason))
    return `Correct the certificate or the URL. If both are right, name the authority in subgraphs.${name}.tls.ca of the configuration, or in NODE_EXTRA_CA_CERTS.`;
  if (/\bproxy\b/i.test(reason))
    return 'Correct the proxy that HTTPS_PROXY names, or name the host of the subgraph in NO_PROXY.';
  return undefined;
}

/** Removes user name and password from a URL, because reports and contracts have many readers. */
export function withoutCredentials(url: string): string {
  const { username, password } = new URL(url);
  if (username === '' && password === '') return url;
  return Object.assign(new URL(url), { username: '', password: '' }).href;
}

function fetchWithDefaults(address: SubgraphAddress): Promise<string> {
  return fetchSubgraphSdl(address, new AbortController().signal);
}

function malformedArgument(argument: string): Finding {
  return createFinding('argument-invalid', {
    message: `"${argument}" does not name a candidate.`,
    advice: 'Write --subgraph NAME=FILE or --subgraph NAME=URL.',
  });
}

function duplicateSubgraph(name: string): Finding {
  return createFinding('argument-invalid', {
    message: `--subgraph ${name} is given twice.`,
    advice: 'Check one candidate of a subgraph at a time.',
    subgraph: name,
  });
}
