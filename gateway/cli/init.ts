import { dirname, resolve } from 'node:path';
import { type DocumentNode, GraphQLError, parse, Source } from 'graphql';
import { readConfigDocument } from '../config/configDocument.ts';
import { ConfigError } from '../config/configError.ts';
import { isHttpUrl } from '../config/isHttpUrl.ts';
import { isSection, type Section } from '../config/isSection.ts';
import { defaultConfigFile } from '../config/loadConfig.ts';
import { subgraphAddressesOf } from '../planning/supergraphDocument.ts';
import { CommandError, exitCode } from './exitCode.ts';
import { ConfigDraft } from './init/configDraft.ts';
import { translateApolloRouter } from './init/fromApolloRouter.ts';
import { printDraft } from './init/printDraft.ts';
import { readText, writeText } from './textFiles.ts';

interface InitOptions {
  readonly supergraph?: string | undefined;
  /** `NAME=URL`. */
  readonly subgraph?: readonly string[] | undefined;
  /** Configuration file of Apollo Router. */
  readonly apolloRouter?: string | undefined;
  readonly out?: string | undefined;
  readonly force?: boolean | undefined;
}

/** Writes a commented configuration file, which `serve` accepts, or nothing.
 *  @throws {CommandError} `usageError` for wrong arguments, unreadable files, and an existing file without `force`. */
export function init(options: InitOptions): void {
  const { supergraph, subgraph = [], apolloRouter, out = defaultConfigFile, force = false } = options;
  if (supergraph === undefined && subgraph.length === 0 && apolloRouter === undefined) {
    throw new CommandError(
      exitCode.usageError,
      'Name what to begin with: --supergraph FILE, --subgraph NAME=URL for each running subgraph, or --apollo-router router.yaml.',
    );
  }
  if (supergraph !== undefined && subgraph.length > 0) {
    throw new CommandError(
      exitCode.usageError,
      'The supergraph is either a file (--supergraph) or composed of running subgraphs (--subgraph), not both.',
    );
  }
  const draft = new ConfigDraft(dirname(resolve(out)));
  draft.set(['listen', 'host'], '127.0.0.1');
  draft.set(['listen', 'port'], 4000);
  draft.set(['admin', 'host'], '127.0.0.1');
  draft.set(['admin', 'port'], 4001);
  addSupergraph(draft, options);
  draft.set(['subgraphs', 'all', 'timeouts', 'attempt'], '5s');
  draft.set(['subgraphs', 'all', 'timeouts', 'deadline'], '15s');
  draft.set(['subgraphs', 'all', 'headers', 'forward'], ['authorization', 'accept-language']);
  if (apolloRouter !== undefined) translateApolloRouter(readRouterConfig(apolloRouter), draft);
  // A variable may have a default: ${PORT:-4001}.
  if (String(draft.get(['listen', 'port'])).includes('4001')) draft.set(['admin', 'port'], 4002);
  const problems = draft.dropInvalid();
  if (problems.length > 0) throw new ConfigError(problems);
  writeText(out, printDraft(draft, introductionOf(options)), force ? 'w' : 'wx');
  console.log(`Written: ${out}`);
  if (draft.notes.length > 0) console.log('To decide by hand, also at the end of the file:');
  for (const { subject, text } of draft.notes) console.log(`  ${subject}: ${text}`);
  const config = out === defaultConfigFile ? '' : ` --config ${out}`;
  console.log(`Next: npx tributary config check${config}`);
  console.log(`Then: npx tributary dev${config}, or in production npx tributary serve${config}`);
}

function introductionOf({ supergraph, apolloRouter }: InitOptions): string {
  if (apolloRouter !== undefined)
    return `Configuration of Tributary, translated by \`tributary init\` from ${apolloRouter} of Apollo Router.`;
  const source = supergraph === undefined ? 'running subgraphs' : supergraph;
  return `Configuration of Tributary, written by \`tributary init\` for ${source}.`;
}

function addSupergraph(draft: ConfigDraft, { supergraph, subgraph = [] }: InitOptions): void {
  if (subgraph.length > 0) {
    draft.set(['supergraph', 'subgraphs'], subgraph.map(readSubgraph));
    draft.set(['supergraph', 'pollInterval'], '10s');
  } else if (supergraph === undefined) {
    draft.set(['supergraph', 'file'], 'supergraph.graphql');
    draft.note(
      'supergraph',
      'is expected in supergraph.graphql; set supergraph.file, supergraph.url or --supergraph',
    );
  } else {
    draft.set(['supergraph', 'file'], draft.relativePath(supergraph));
    for (const { name, url } of readSubgraphAddresses(supergraph)) {
      if (url === '') draft.note(name, `has no address in ${supergraph}; set subgraphs.${name}.url`);
    }
  }
}

function readSubgraph(argument: string) {
  const separator = argument.indexOf('=');
  const [name, url] = [argument.slice(0, separator).trim(), argument.slice(separator + 1)];
  if (separator > 0 && name !== '' && isHttpUrl(url)) return { name, url };
  throw new CommandError(
    exitCode.usageError,
    `--subgraph ${argument} is not NAME=URL, such as reviews=http://localhost:4104/graphql.`,
  );
}

/** The subgraphs of a supergraph file.
 *  @throws {CommandError} when it is another schema, or none. */
function readSubgraphAddresses(file: string) {
  let document: DocumentNode;
  try {
    document = parse(new Source(readText(file), file));
  } catch (error) {
    if (!(error instanceof GraphQLError)) throw error;
    const [location] = error.locations ?? [];
    const position = location === undefined ? file : `${file}:${location.line}:${location.column}`;
    throw new CommandError(exitCode.usageError, `${position} is not a schema: ${error.message}`);
  }
  const addresses = subgraphAddressesOf(document);
  if (addresses.length > 0) return addresses;
  throw new CommandError(
    exitCode.usageError,
    `${file} is not a supergraph: it has no enum join__Graph. The schemas of subgraphs are composed with \`tributary compose\`, or name the running subgraphs with --subgraph NAME=URL.`,
  );
}

function readRouterConfig(file: string): Section {
  const { document: config } = readConfigDocument(file);
  if (isSection(config)) return config;
  throw new CommandError(
    exitCode.usageError,
    `${file} is not a configuration of Apollo Router: it has no sections.`,
  );
}
