import { isExecutableDefinitionNode } from 'graphql';
import type { SubgraphContract } from '../contractStore.ts';
import { createFinding, type Finding } from '../finding.ts';
import { locationOf, parseGraphQL } from './parseGraphQL.ts';

interface ReadSchemaOptions {
  /** Name of the subgraph. */
  readonly name: string;
  readonly file: string;
  readonly text: string;
  /** URL of the subgraph, unless the file has one. */
  readonly url?: string | undefined;
}

interface SchemaResult {
  /** Undefined when the text cannot be used. */
  readonly contract?: SubgraphContract;
  readonly problems: readonly Finding[];
}

const mebibyte = 1024 ** 2;

/** Composing and planning a schema of this size takes about a minute and 2 GB of memory, and the time grows faster than
 *  the size. Larger ones are refused before anything parses them. */
export const maxSchemaBytes = 5 * mebibyte;

/** What is wrong with a schema that is too large, as the end of a sentence. */
export function describeExcess(text: string): string | undefined {
  const bytes = Buffer.byteLength(text);
  const sizeOf = (size: number): string => `${Math.ceil((size / mebibyte) * 10) / 10} MB`;
  return bytes > maxSchemaBytes
    ? `has ${sizeOf(bytes)}; a check reads schemas of up to ${sizeOf(maxSchemaBytes)}`
    : undefined;
}

const urlLine = /^\s*#\s*@url\b\s*(.*?)\s*$/;

/** Reads a subgraph's contract from its SDL. Line endings of Windows count as others, because Git may check a file out with
 *  them. A line `# @url https://…` has the URL of the subgraph. */
export function readSchema({ name, file, text: written, url }: ReadSchemaOptions): SchemaResult {
  const text = written.replaceAll('\r\n', '\n');
  if (name === 'all') return { problems: [reservedName(name, file)] };
  const excess = describeExcess(text);
  if (excess !== undefined) return { problems: [schemaTooLarge(name, file, excess)] };
  const parsed = parseGraphQL({
    text,
    file,
    rule: 'schema-unparseable',
    subgraph: name,
  });
  if ('problem' in parsed) return { problems: [parsed.problem] };
  const executable = parsed.document.definitions.find(isExecutableDefinitionNode);
  if (executable !== undefined) {
    return {
      problems: [
        createFinding('schema-unparseable', {
          message: 'A schema file contains an operation or fragment.',
          advice: 'Move it to operations/<consumer>/.',
          location: locationOf(executable),
          subgraph: name,
        }),
      ],
    };
  }
  const comment = findUrlComment(text);
  const isInvalid = comment !== undefined && !URL.canParse(comment.url);
  const knownUrl = isInvalid ? undefined : (comment?.url ?? url);
  return {
    contract: { name, url: knownUrl ?? placeholderUrl(name), file, sdl: text },
    problems: isInvalid ? [invalidUrl(name, file, comment)] : [],
  };
}

/** The URL of a subgraph without a known one. */
export function placeholderUrl(name: string): string {
  return `http://${name}.invalid/`;
}

/** Prints a schema file: the line with the URL, and the SDL. */
export function printSchemaFile({ name, url, sdl }: Pick<SubgraphContract, 'name' | 'url' | 'sdl'>): string {
  const lines = sdl.split('\n');
  const comment = findUrlComment(sdl);
  const sdlWithoutUrl = (comment === undefined ? lines : lines.toSpliced(comment.line - 1, 1))
    .join('\n')
    .trim();
  return url === placeholderUrl(name) ? `${sdlWithoutUrl}\n` : `# @url ${url}\n${sdlWithoutUrl}\n`;
}

interface UrlComment {
  readonly url: string;
  readonly line: number;
}

/** Only comments above the first definition are about the whole file. */
function findUrlComment(text: string): UrlComment | undefined {
  for (const [index, line] of text.split('\n').entries()) {
    const url = urlLine.exec(line)?.[1];
    if (url !== undefined) return { url, line: index + 1 };
    if (!/^\s*(#|$)/.test(line)) return undefined;
  }
  return undefined;
}

function reservedName(name: string, file: string): Finding {
  return createFinding('subgraph-name-reserved', {
    message: `No subgraph can be named "${name}": \`subgraphs.${name}\` of a gateway's configuration has the settings of every subgraph.`,
    location: { file, line: 1, column: 1 },
    subgraph: name,
  });
}

function schemaTooLarge(name: string, file: string, excess: string): Finding {
  return createFinding('schema-too-large', {
    message: `The schema of ${name} ${excess}.`,
    location: { file, line: 1, column: 1 },
    subgraph: name,
  });
}

function invalidUrl(name: string, file: string, { url, line }: UrlComment): Finding {
  return createFinding('schema-url-invalid', {
    message: `"${url}" is not a URL.`,
    location: { file, line, column: 1 },
    subgraph: name,
  });
}
