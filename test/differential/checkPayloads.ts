import { type DocumentNode, type FragmentDefinitionNode, Kind, type SelectionSetNode } from 'graphql';
import { escapeInheritedName, isJsonObject, type JsonObject, type Path } from './answer.ts';
import { firstOf } from './compareAnswers.ts';

interface Delivery {
  readonly path: Path;
  readonly label: unknown;
  readonly hasLabel: boolean;
  readonly isFailed: boolean;
  readonly errors: readonly JsonObject[];
}

/** Finds violations that merging the payloads does not: a label that is not the document's or is at the wrong path,
 *  or an error in another payload than its field. Returns the first violation as text. */
export function findPayloadProblem(payloads: readonly unknown[], document: DocumentNode): string | undefined {
  const [first] = payloads;
  const misplaced = isJsonObject(first)
    ? list(first.errors).find(({ path }) => !isExplaining((path ?? []) as Path, first.data))
    : undefined;
  if (misplaced !== undefined) {
    return `The first payload has an error at ${(misplaced.path as Path).join('.')}, which it does not have`;
  }
  const labelPaths = pathsByLabel(document);
  return firstOf(deliveriesOf(payloads), ({ path, label, hasLabel, isFailed, errors }) => {
    const names = path.filter((part) => typeof part === 'string').join('.');
    if (hasLabel && typeof label !== 'string') return `A label that is no text at ${names}`;
    const known = labelPaths.get(hasLabel ? String(label) : undefined);
    if (known === undefined || !known.has(names)) return `Nothing labelled ${label} stands at "${names}"`;
    if (isFailed && errors.length === 0) return `A fragment at "${names}" failed without an error`;
    return firstOf(errors, (error) => {
      const errorPath = (error.path ?? []) as Path;
      return path.every((part, index) => errorPath[index] === part)
        ? undefined
        : `An error at ${errorPath.join('.')} came with the fragment at ${path.join('.')}`;
    });
  });
}

/** Whether data has the field at the path, or a null above it. */
function isExplaining(path: Path, data: unknown): boolean {
  let value = data;
  for (const part of path) {
    if (typeof value !== 'object' || value === null) return value === null;
    value = (value as Readonly<Record<string | number, unknown>>)[part];
  }
  return value !== undefined;
}

/** The paths of fragments without data. */
export function failedPaths(payloads: readonly unknown[]): readonly Path[] {
  return deliveriesOf(payloads)
    .filter(({ isFailed }) => isFailed)
    .map(({ path }) => path);
}

/** One entry for each fragment that was delivered or failed, in either format. */
function deliveriesOf(payloads: readonly unknown[]): readonly Delivery[] {
  const pending = new Map<string, JsonObject>();
  const deliveries: Delivery[] = [];
  for (const payload of payloads.filter(isJsonObject)) {
    for (const announced of list(payload.pending)) pending.set(String(announced.id), announced);
    for (const entry of [...list(payload.incremental), ...list(payload.completed)]) {
      const source = Object.hasOwn(entry, 'id') ? (pending.get(String(entry.id)) ?? {}) : entry;
      deliveries.push({
        path: (source.path ?? []) as Path,
        label: source.label,
        hasLabel: Object.hasOwn(source, 'label'),
        isFailed: Object.hasOwn(entry, 'data') ? entry.data === null : Object.hasOwn(entry, 'errors'),
        errors: list(entry.errors),
      });
    }
  }
  return deliveries;
}

function list(value: unknown): readonly JsonObject[] {
  return Array.isArray(value) ? value : [];
}

/** The paths of response names to each use of `@defer`, by its label. */
function pathsByLabel(document: DocumentNode): Map<string | undefined, Set<string>> {
  const fragments = new Map<string, FragmentDefinitionNode>();
  for (const definition of document.definitions) {
    if (definition.kind === Kind.FRAGMENT_DEFINITION) fragments.set(definition.name.value, definition);
  }
  const labelPaths = new Map<string | undefined, Set<string>>();
  for (const definition of document.definitions) {
    if (definition.kind === Kind.OPERATION_DEFINITION) visit(definition.selectionSet, []);
  }
  return labelPaths;

  function visit(set: SelectionSetNode, names: readonly string[]): void {
    for (const node of set.selections) {
      if (node.kind === Kind.FIELD) {
        if (node.selectionSet)
          visit(node.selectionSet, [...names, escapeInheritedName((node.alias ?? node.name).value)]);
        continue;
      }
      const defer = node.directives?.find(({ name }) => name.value === 'defer');
      if (defer !== undefined) {
        const label = defer.arguments?.find(({ name }) => name.value === 'label')?.value;
        const text = label?.kind === Kind.STRING ? label.value : undefined;
        const known = labelPaths.get(text) ?? new Set();
        labelPaths.set(text, known.add(names.join('.')));
      }
      const inner =
        node.kind === Kind.INLINE_FRAGMENT ? node.selectionSet : fragments.get(node.name.value)?.selectionSet;
      if (inner !== undefined) visit(inner, names);
    }
  }
}
