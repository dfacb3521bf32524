import {
  type ArgumentNode,
  type DirectiveNode,
  type DocumentNode,
  type FieldNode,
  Kind,
  Lexer,
  type SelectionSetNode,
  Source,
  type Token,
  TokenKind,
  type ValueNode,
} from 'graphql';
import { GatewayError } from '../errors.ts';
import { fragmentsOf } from './fragmentsOf.ts';

/** Maximum sizes of one operation, with fragment spreads expanded. The names are those of the section `limits` in the
 *  configuration. */
export interface OperationLimits {
  /** Lexical tokens of the document. */
  readonly tokens: number;
  /** Nested selection sets. An inline fragment is a level, a fragment spread is not. */
  readonly depth: number;
  /** Nested lists and objects in literals of arguments and defaults, and nested lists in variable types. The planning time
   *  may double with each level. */
  readonly literalDepth: number;
  readonly aliases: number;
  readonly rootFields: number;
  readonly directives: number;
  readonly deferredFragments: number;
  /** Fields and fragments. */
  readonly recursiveSelections: number;
  /** Characters of names and literals, which are printed for the planner and the subgraphs. */
  readonly expandedSize: number;
  /** Pairs of fields with one response name in one selection set, all of which validation compares. */
  readonly fieldComparisons: number;
}

export const operationLimitNames = [
  'tokens',
  'depth',
  'literalDepth',
  'aliases',
  'rootFields',
  'directives',
  'deferredFragments',
  'recursiveSelections',
  'expandedSize',
  'fieldComparisons',
] as const satisfies readonly (keyof OperationLimits)[];

/** A limit that an operation exceeds. */
export interface ExceededLimit {
  /** `lines` and `nameLength` have no option. */
  readonly limit: keyof OperationLimits | 'lines' | 'nameLength';
  /** A lower bound of the actual size: counting stops early where it would be expensive. */
  readonly value: number;
  readonly allowed: number;
}

/** An `OPERATION_TOO_COMPLEX` error with the exceeded limit as its extensions. */
export function limitExceededError(exceeded: ExceededLimit): GatewayError {
  return new GatewayError('OPERATION_TOO_COMPLEX', describeExceededLimit(exceeded), {
    extensions: { ...exceeded },
  });
}

/** Maximum characters of a name. Many errors quote the name of the same operation, and all objects of a list have the same
 *  alias: with a long one, a small request would have a response of hundreds of megabytes. */
const maxNameLength = 1_000;

/** Maximum lines of a document. To graphql-js, each line of a block string and each comment is as much work as a token. */
const maxLines = 10_000;

const descriptions: Readonly<Record<ExceededLimit['limit'], string>> = {
  lines: 'has at least {value} lines',
  nameLength: 'has a name of {value} characters',
  tokens: 'has at least {value} tokens',
  depth: 'is nested at least {value} levels deep',
  literalDepth: 'has a literal that is nested at least {value} levels deep',
  aliases: 'has {value} aliases',
  rootFields: 'has {value} root fields',
  directives: 'has {value} directives',
  deferredFragments: 'has {value} deferred fragments',
  recursiveSelections: 'has at least {value} selections with its fragments expanded',
  expandedSize: 'has {value} characters in its names and literals with its fragments expanded',
  fieldComparisons:
    'selects the same fields so often in one selection set that merging them takes at least {value} comparisons',
};

/** A sentence about the operation, for clients and operators. */
export function describeExceededLimit({ limit, value, allowed }: ExceededLimit): string {
  const option = limit === 'lines' || limit === 'nameLength' ? '' : ` (limits.${limit})`;
  const description = descriptions[limit].replace('{value}', String(value));
  return `The operation ${description}; at most ${allowed} are allowed${option}.`;
}

/** Checks `tokens`, `depth`, `literalDepth`, lines and the length of names with the lexer alone. The parser is recursive,
 *  so that only a text that passes this check is safe to parse. The check stops at the first syntax error, which the
 *  parser reports. */
export function findExceededTextLimit(text: string, limits: OperationLimits): ExceededLimit | undefined {
  if (hasMoreLines(text, maxLines)) return { limit: 'lines', value: maxLines + 1, allowed: maxLines };
  const lexer = new Lexer(new Source(text));
  let tokens = 0;
  let selectionDepth = 0;
  let valueDepth = 0;
  // Directives on variable definitions nest parentheses.
  let parentheses = 0;
  for (;;) {
    const token = nextToken(lexer);
    if (token === undefined || token.kind === TokenKind.EOF) return undefined;
    const { kind } = token;
    tokens++;
    if (tokens > limits.tokens) return { limit: 'tokens', value: tokens, allowed: limits.tokens };
    if (kind === TokenKind.NAME) {
      const length = token.end - token.start;
      if (length > maxNameLength) return { limit: 'nameLength', value: length, allowed: maxNameLength };
    } else if (kind === TokenKind.PAREN_L || kind === TokenKind.PAREN_R) {
      parentheses += kind === TokenKind.PAREN_L ? 1 : -1;
      valueDepth = 0;
    } else if (kind === TokenKind.BRACE_L || kind === TokenKind.BRACKET_L) {
      const isValue = parentheses > 0;
      const limit = isValue ? 'literalDepth' : 'depth';
      const depth = isValue ? ++valueDepth : ++selectionDepth;
      if (depth > limits[limit]) return { limit, value: depth, allowed: limits[limit] };
    } else if (kind === TokenKind.BRACE_R || kind === TokenKind.BRACKET_R) {
      if (parentheses > 0) valueDepth--;
      else selectionDepth--;
    }
  }
}

function hasMoreLines(text: string, max: number): boolean {
  let lines = 1;
  for (const _ of text.matchAll(/\r\n|[\n\r]/g)) if (++lines > max) return true;
  return false;
}

function nextToken(lexer: Lexer): Token | undefined {
  try {
    return lexer.advance();
  } catch {
    return undefined;
  }
}

/** Checks every operation and every fragment definition of a document. A document with cyclic fragments passes, because
 *  validation refuses it with a better message. */
export function findExceededLimit(
  document: DocumentNode,
  limits: OperationLimits,
): ExceededLimit | undefined {
  const measure = createSelectionMeasurer(document);
  for (const definition of document.definitions) {
    if (definition.kind !== Kind.OPERATION_DEFINITION && definition.kind !== Kind.FRAGMENT_DEFINITION)
      continue;
    const size = addDirectives(measure(definition.selectionSet), definition.directives);
    if (size === undefined) return undefined;
    if (definition.kind === Kind.OPERATION_DEFINITION) {
      for (const variable of definition.variableDefinitions ?? []) addDirectives(size, variable.directives);
    } else {
      size.rootFields = 0;
    }
    for (const limit of measuredLimits) {
      if (size[limit] > limits[limit]) return { limit, value: size[limit], allowed: limits[limit] };
    }
  }
  const value = countFieldComparisons(document, limits.fieldComparisons);
  return value > limits.fieldComparisons
    ? { limit: 'fieldComparisons', value, allowed: limits.fieldComparisons }
    : undefined;
}

/** The number of visited selections plus the number of pairs of fields with one response name in one selection set, with
 *  fragments expanded. Counting stops once `allowed` is exceeded. Fragments must not be cyclic. */
function countFieldComparisons(document: DocumentNode, allowed: number): number {
  const fragments = fragmentsOf(document);
  let count = 0;
  for (const definition of document.definitions) {
    if (definition.kind === Kind.OPERATION_DEFINITION || definition.kind === Kind.FRAGMENT_DEFINITION)
      compare([definition.selectionSet]);
    if (count > allowed) break;
  }
  return count;

  function compare(sets: readonly SelectionSetNode[]): void {
    const byName = new Map<string, { fields: number; sets: SelectionSetNode[] }>();
    const spread = new Set<string>();
    for (const set of sets) gather(set);
    for (const { fields, sets: inner } of byName.values()) {
      count += (fields * (fields - 1)) / 2;
      if (count > allowed) return;
      if (inner.length > 0) compare(inner);
    }

    function gather({ selections }: SelectionSetNode): void {
      count += selections.length;
      if (count > allowed) return;
      for (const selection of selections) {
        if (selection.kind === Kind.FIELD) {
          const name = selection.alias?.value ?? selection.name.value;
          let entry = byName.get(name);
          if (entry === undefined) {
            entry = { fields: 0, sets: [] };
            byName.set(name, entry);
          }
          entry.fields++;
          if (selection.selectionSet !== undefined) entry.sets.push(selection.selectionSet);
        } else if (selection.kind === Kind.INLINE_FRAGMENT) {
          gather(selection.selectionSet);
        } else if (!spread.has(selection.name.value)) {
          spread.add(selection.name.value);
          const fragment = fragments.get(selection.name.value);
          if (fragment !== undefined) gather(fragment.selectionSet);
        }
      }
    }
  }
}

type MeasuredLimit = Exclude<keyof OperationLimits, 'tokens' | 'literalDepth' | 'fieldComparisons'>;
type MeasuredSize = Record<MeasuredLimit, number>;

const measuredLimits: readonly MeasuredLimit[] = [
  'depth',
  'recursiveSelections',
  'rootFields',
  'aliases',
  'directives',
  'deferredFragments',
  'expandedSize',
];

/** Returns a function that measures a selection set; `undefined` for cyclic fragments. Each fragment is measured once,
 *  so that fragments that spread each other repeatedly take linear time. */
function createSelectionMeasurer(
  document: DocumentNode,
): (selections: SelectionSetNode) => MeasuredSize | undefined {
  const fragments = fragmentsOf(document);
  const measured = new Map<string, MeasuredSize | 'in progress' | 'cyclic'>();

  return measureSelections;

  function measureFragment(name: string): MeasuredSize | undefined {
    const known = measured.get(name);
    if (known === 'in progress' || known === 'cyclic') return undefined;
    if (known !== undefined) return known;
    const fragment = fragments.get(name);
    // Validation refuses unknown fragments.
    if (fragment === undefined) return emptySize();
    measured.set(name, 'in progress');
    const size = measureSelections(fragment.selectionSet);
    measured.set(name, size ?? 'cyclic');
    return size;
  }

  function measureSelections(selections: SelectionSetNode): MeasuredSize | undefined {
    const total = emptySize();
    total.depth = 1;
    for (const selection of selections.selections) {
      total.recursiveSelections++;
      addDirectives(total, selection.directives);
      if (selection.kind === Kind.FIELD) {
        total.rootFields++;
        if (selection.alias !== undefined) total.aliases++;
        total.expandedSize += charactersOfField(selection);
        if (selection.selectionSet === undefined) continue;
        const below = measureSelections(selection.selectionSet);
        if (below === undefined) return undefined;
        add(total, { ...below, rootFields: 0, depth: below.depth + 1 });
        continue;
      }
      const isSpread = selection.kind === Kind.FRAGMENT_SPREAD;
      const within = isSpread
        ? measureFragment(selection.name.value)
        : measureSelections(selection.selectionSet);
      if (within === undefined) return undefined;
      add(total, isSpread ? within : { ...within, depth: within.depth + 1 });
    }
    return total;
  }
}

function emptySize(): MeasuredSize {
  return {
    depth: 0,
    recursiveSelections: 0,
    rootFields: 0,
    aliases: 0,
    directives: 0,
    deferredFragments: 0,
    expandedSize: 0,
  };
}

function add(total: MeasuredSize, part: MeasuredSize): void {
  total.depth = Math.max(total.depth, part.depth);
  total.recursiveSelections += part.recursiveSelections;
  total.rootFields += part.rootFields;
  total.aliases += part.aliases;
  total.directives += part.directives;
  total.deferredFragments += part.deferredFragments;
  total.expandedSize += part.expandedSize;
}

function addDirectives<S extends MeasuredSize | undefined>(
  size: S,
  directives: readonly DirectiveNode[] | undefined,
): S {
  if (size === undefined || directives === undefined) return size;
  size.directives += directives.length;
  for (const directive of directives) {
    if (directive.name.value === 'defer') size.deferredFragments++;
    size.expandedSize += directive.name.value.length + charactersOfArguments(directive.arguments);
  }
  return size;
}

function charactersOfField({ alias, name, arguments: args }: FieldNode): number {
  return (alias?.value.length ?? 0) + name.value.length + charactersOfArguments(args);
}

function charactersOfArguments(args: readonly ArgumentNode[] | undefined): number {
  let count = 0;
  for (const { name, value } of args ?? []) count += name.value.length + charactersOfValue(value);
  return count;
}

/** Recursive: `literalDepth` was checked before. */
function charactersOfValue(value: ValueNode): number {
  switch (value.kind) {
    case Kind.NULL:
    case Kind.BOOLEAN:
      return 4;
    case Kind.STRING:
      // An escaped character takes up to six characters, such as `\u0001`.
      return JSON.stringify(value.value).length;
    case Kind.VARIABLE:
      return value.name.value.length;
    case Kind.LIST: {
      let count = 0;
      for (const element of value.values) count += charactersOfValue(element);
      return count;
    }
    case Kind.OBJECT: {
      let count = 0;
      for (const field of value.fields) count += field.name.value.length + charactersOfValue(field.value);
      return count;
    }
    default:
      return value.value.length;
  }
}
