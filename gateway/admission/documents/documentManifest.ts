import { hash } from 'node:crypto';
import { GraphQLError, parse, stripIgnoredCharacters } from 'graphql';
import { isStackOverflow } from '../../errors.ts';
import { isObject } from '../../json/isObject.ts';
import { truncate } from '../../json/truncate.ts';
import type { SlicedTask } from '../../time/slicedTask.ts';

export interface ManifestFile {
  readonly path: string;
  readonly text: string;
  /** Why the file could not be read, as a predicate of it. */
  readonly readProblem?: string;
}

export interface TrustedDocument {
  readonly id: string;
  /** The name of its operation, as far as the manifest or the text has one. */
  readonly name: string | undefined;
  readonly text: string;
  /** The manifest file. */
  readonly file: string;
}

/** Why a manifest cannot be used. */
export interface ManifestProblem {
  readonly file: string;
  /** A predicate of the file. */
  readonly problem: string;
  readonly whatToDo: string;
}

/** The documents of one or several manifest files. */
export interface DocumentManifest {
  readonly documents: readonly TrustedDocument[];
  /** By the ids of the manifest, and by the SHA-256 of their texts as far as that is no id of another document. */
  readonly byId: ReadonlyMap<string, TrustedDocument>;
  /** By text, and by text without white space and comments. */
  readonly byText: ReadonlyMap<string, TrustedDocument>;
  readonly operationNames: ReadonlySet<string>;
}

const formats =
  'a persisted-query manifest of Apollo ({"format": "apollo-persisted-query-manifest", "version": 1, "operations": […]}), or a map of ids to texts, as relay-compiler and graphql-codegen write it ({"<id>": "query …"})';
const extractAgain = 'Extract the documents from the sources of the client again.';

/** Reads manifests of any supported format. Finds every problem. */
export function* readManifests(
  files: readonly ManifestFile[],
): SlicedTask<
  | { readonly manifest: DocumentManifest; readonly problems?: never }
  | { readonly problems: readonly ManifestProblem[] }
> {
  const problems: ManifestProblem[] = [];
  const byId = new Map<string, TrustedDocument>();
  for (const file of files) {
    const report = (problem: string, whatToDo: string): void => {
      problems.push({ file: file.path, problem, whatToDo });
    };
    if (file.readProblem !== undefined) {
      report(file.readProblem, 'Name an existing file in UTF-8.');
      continue;
    }
    for (const { id, name, text } of readEntries(file.text, report)) {
      yield;
      const other = byId.get(id);
      if (other?.text === text) continue;
      if (other !== undefined) {
        const isSameFile = other.file === file.path;
        report(
          `has the id ${quote(id)} ${isSameFile ? 'twice, with different texts' : `with another text than ${other.file}`}`,
          'Give each text its own id, such as its hash.',
        );
        continue;
      }
      const parsed = tryParse(text);
      if ('problem' in parsed) report(`has the document ${quote(id)}, which ${parsed.problem}`, extractAgain);
      else byId.set(id, { id, name: name ?? parsed.name, text, file: file.path });
    }
  }
  const documents = [...byId.values()];
  if (documents.length === 0 && problems.length === 0) {
    const [{ path: file } = { path: '' }] = files;
    problems.push({ file, problem: 'has no documents', whatToDo: extractAgain });
  }
  if (problems.length > 0) return { problems };
  const byText = new Map<string, TrustedDocument>();
  for (const document of documents) {
    yield;
    const sha256 = hash('sha256', document.text, 'hex');
    if (!byId.has(sha256)) byId.set(sha256, document);
    for (const text of [document.text, stripIgnoredCharacters(document.text)]) {
      if (!byText.has(text)) byText.set(text, document);
    }
  }
  const operationNames = new Set(documents.flatMap(({ name }) => name ?? []));
  return { manifest: { documents, byId, byText, operationNames } };
}

interface ManifestEntry {
  readonly id: string;
  readonly name: string | undefined;
  readonly text: string;
}

type ReportProblem = (problem: string, whatToDo: string) => void;

function readEntries(text: string, report: ReportProblem): readonly ManifestEntry[] {
  let json: unknown;
  try {
    json = JSON.parse(text.replace(/^\uFEFF/, ''));
  } catch (error) {
    const problem = text.trim() === '' ? 'is empty' : `is not JSON (${(error as Error).message})`;
    report(problem, `Write ${formats}.`);
    return [];
  }
  if (!isObject(json)) {
    report('is not a JSON object', `Write ${formats}.`);
    return [];
  }
  return 'format' in json || Array.isArray(json.operations)
    ? readApolloEntries(json, report)
    : readMapEntries(json, report);
}

function readApolloEntries(
  { format, version, operations }: Readonly<Record<string, unknown>>,
  report: ReportProblem,
): readonly ManifestEntry[] {
  if (format !== 'apollo-persisted-query-manifest' || version !== 1 || !Array.isArray(operations)) {
    report(
      `has the format ${quote(format)}, version ${quote(version)}${Array.isArray(operations) ? '' : ', and no list of operations'}`,
      `Write ${formats}.`,
    );
    return [];
  }
  return operations.flatMap((operation: unknown, index) => {
    const { id, name, body } = isObject(operation) ? operation : {};
    if (typeof id === 'string' && id !== '' && typeof body === 'string') {
      return [{ id, name: typeof name === 'string' ? name : undefined, text: body }];
    }
    report(`has no text for \`id\` or \`body\` in operations[${index}]`, extractAgain);
    return [];
  });
}

function readMapEntries(
  map: Readonly<Record<string, unknown>>,
  report: ReportProblem,
): readonly ManifestEntry[] {
  return Object.entries(map).flatMap(([id, text]) => {
    if (id !== '' && typeof text === 'string') return [{ id, name: undefined, text }];
    report(`has no text for the id ${quote(id)}`, `Write ${formats}.`);
    return [];
  });
}

function tryParse(text: string): { readonly name: string | undefined } | { readonly problem: string } {
  try {
    const { definitions } = parse(text, { noLocation: true });
    const operations = definitions.flatMap((node) => (node.kind === 'OperationDefinition' ? [node] : []));
    if (operations.length === 0) return { problem: 'has no operation' };
    return { name: operations.length === 1 ? operations[0]?.name?.value : undefined };
  } catch (error) {
    if (isStackOverflow(error)) return { problem: 'is nested too deep to be parsed' };
    if (!(error instanceof GraphQLError)) throw error;
    const [{ line, column } = { line: 1, column: 1 }] = error.locations ?? [];
    return { problem: `is no GraphQL: ${error.message} (line ${line}, column ${column})` };
  }
}

/** A value in a message, which must not become as long as a document. */
function quote(value: unknown): string {
  // JSON.stringify throws for an object that is nested too deep.
  if (typeof value === 'object' && value !== null) return Array.isArray(value) ? '[…]' : '{…}';
  return truncate(JSON.stringify(value) ?? 'none', 100);
}
