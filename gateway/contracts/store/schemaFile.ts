import { isExecutableDefinitionNode } from 'graphql';
import type { SubgraphContract } from '../contractStore.ts';
import type { Finding } from '../finding.ts';
import { parseGraphQL, placeOf } from './parseGraphQL.ts';
import { problem } from './problem.ts';

export interface ReadSchemaOptions {
  /** The subgraph's name. */
  readonly name: string;
  readonly file: string;
  readonly text: string;
  /** Where it is reached, if the file does not say. */
  readonly url?: string | undefined;
}

export interface ReadSchema {
  /** Absent where the text cannot be used. */
  readonly contract?: SubgraphContract;
  readonly problems: readonly Finding[];
}

const urlLine = /^\s*#\s*@url\b\s*(.*?)\s*$/;

/** A subgraph's contract from its SDL. A line `# @url https://…` says where the subgraph is reached. */
export function readSchema({ name, file, text, url }: ReadSchemaOptions): ReadSchema {
  const parsed = parseGraphQL({
    text,
    file,
    rule: 'schema-unparseable',
    advice: 'Put the SDL right at this place.',
    subgraph: name,
  });
  if ('problem' in parsed) return { problems: [parsed.problem] };
  const executable = parsed.document.definitions.find(isExecutableDefinitionNode);
  if (executable !== undefined) {
    return {
      problems: [
        problem({
          rule: 'schema-unparseable',
          message: 'An operation or fragment stands in a schema.',
          advice: 'Move it to operations/<consumer>/.',
          place: placeOf(executable),
          subgraph: name,
        }),
      ],
    };
  }
  const said = findUrl(text);
  const isWrong = said !== undefined && !URL.canParse(said.url);
  const reached = isWrong ? undefined : (said?.url ?? url);
  return {
    contract: { name, url: reached ?? unknownUrl(name), file, sdl: text },
    problems: isWrong ? [wrongUrl(name, file, said)] : [],
  };
}

/** What stands for an address that nobody has said. */
export function unknownUrl(name: string): string {
  return `http://${name}.invalid/`;
}

/** The text of a schema file: the SDL below a line that says where the subgraph is reached. */
export function schemaFileText({ name, url, sdl }: Pick<SubgraphContract, 'name' | 'url' | 'sdl'>): string {
  const lines = sdl.split('\n');
  const said = findUrl(sdl);
  const bare = (said === undefined ? lines : lines.toSpliced(said.line - 1, 1)).join('\n').trim();
  return url === unknownUrl(name) ? `${bare}\n` : `# @url ${url}\n${bare}\n`;
}

interface SaidUrl {
  readonly url: string;
  readonly line: number;
}

/** Only comments at the top speak about the whole file. */
function findUrl(text: string): SaidUrl | undefined {
  for (const [index, line] of text.split('\n').entries()) {
    const url = urlLine.exec(line)?.[1];
    if (url !== undefined) return { url, line: index + 1 };
    if (!/^\s*(#|$)/.test(line)) return undefined;
  }
  return undefined;
}

function wrongUrl(name: string, file: string, { url, line }: SaidUrl): Finding {
  return problem({
    rule: 'schema-url-invalid',
    message: `"${url}" is no address.`,
    advice: 'Write the whole address: `# @url https://products.internal/graphql`, or leave the line out.',
    place: { file, line, column: 1 },
    subgraph: name,
  });
}
