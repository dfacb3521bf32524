import {
  type ASTNode,
  type GraphQLCompositeType,
  isAbstractType,
  Kind,
  type OperationDefinitionNode,
  print,
  visit,
} from 'graphql';
import { type FieldSelection, isDeniedSelection, type Selection, type SelectionSet } from './selection.ts';
import { internalVariableName } from './variableNames.ts';

interface PrintOperationOptions {
  /** With false, deferred fragments are printed without `@defer`. */
  readonly includesDefer: boolean;
}

/** The beginning of every printed `@defer`. A printed document contains it nowhere else: its strings have escaped quotes. */
export const deferMarker = '@defer(label: "';

/** Prints a normalized operation for the planner: with internal names, without what is denied, without root fields that the
 *  gateway answers, and with the delivery group as the label of each `@defer`. `undefined` when no subgraph is needed, as
 *  for introspection. */
export function printOperation(
  operation: OperationDefinitionNode,
  root: SelectionSet,
  options: PrintOperationOptions,
): string | undefined {
  const fetched = root.selections.filter((selection) => !isAnsweredByGateway(selection));
  if (fetched.length === 0) return undefined;
  const printer = new SelectionPrinter(options);
  const body = printer.printSelections(fetched);
  const directives = (operation.directives ?? []).map((directive) => `${printer.print(directive)} `).join('');
  const definitions = (operation.variableDefinitions ?? [])
    .filter((definition) => printer.usedVariables.has(definition.variable.name.value))
    .map(printCanonical);
  const variables = definitions.length === 0 ? '' : `(${definitions.join(', ')})`;
  const name = operation.name === undefined ? '' : ` ${operation.name.value}`;
  return `${operation.operation}${name}${variables} ${directives}${body}`;
}

/** Prints selections, and records which variables they use. */
class SelectionPrinter {
  /** The client's names of the variables. */
  readonly usedVariables = new Set<string>();
  readonly #includesDefer: boolean;

  constructor({ includesDefer }: PrintOperationOptions) {
    this.#includesDefer = includesDefer;
  }

  printSelections(selections: readonly Selection[]): string {
    // The fields of one delivery group are in one fragment: the planner refuses a label that is used twice.
    const fetched = selections.filter((selection) => !isDeniedSelection(selection));
    const byGroup = Map.groupBy(fetched, (selection) =>
      selection.kind === 'Field' ? (selection.enrichmentGroup ?? selection) : selection,
    );
    const parts = Array.from(byGroup, ([group, members]) => {
      const part = members.map((member) => this.#printSelection(member)).join(' ');
      return typeof group === 'number' && this.#includesDefer ? `... ${printDefer(group)} { ${part} }` : part;
    }).filter((part) => part !== '');
    // A selection set that is empty after folding conditions still has to fetch whether the object exists.
    return `{ ${parts.length === 0 ? '__typename' : parts.join(' ')} }`;
  }

  print(node: ASTNode): string {
    visit(node, { [Kind.VARIABLE]: (variable) => void this.usedVariables.add(variable.name.value) });
    return printCanonical(node);
  }

  #printSelection(selection: Selection): string {
    switch (selection.kind) {
      case 'Field':
        return this.#printField(selection);
      case 'Fragment':
        return `... on ${selection.typeCondition.name} ${this.printSelections(selection.selectionSet.selections)}`;
      case 'Deferred': {
        if (selection.own.selections.length === 0) return '';
        const condition = selection.typeCondition === undefined ? '' : ` on ${selection.typeCondition.name}`;
        const defer = this.#includesDefer ? ` ${printDefer(selection.group)}` : '';
        return `...${condition}${defer} ${this.printSelections(selection.own.selections)}`;
      }
    }
  }

  #printField(field: FieldSelection): string {
    const { fieldName, internalName, selectionSet, compositeType } = field;
    if (fieldName === '__typename') return '__typename';
    const alias = internalName === fieldName ? '' : `${internalName}: `;
    const printed = field.arguments.map((argument) => this.print(argument));
    const parameters = printed.length === 0 ? '' : `(${printed.join(', ')})`;
    const directives = field.directives.map((directive) => ` ${this.print(directive)}`).join('');
    const inner = selectionSet === undefined ? '' : ` ${this.#printInner(selectionSet, compositeType)}`;
    return `${alias}${fieldName}${parameters}${directives}${inner}`;
  }

  #printInner(set: SelectionSet, type: GraphQLCompositeType | undefined): string {
    // The planner adds `__typename` itself, except where one subgraph has an object type for a type that is abstract in
    // others, and in some deferred selections.
    return isAbstractType(type) && set.dependsOnType
      ? this.printSelections([typenameField, ...set.selections])
      : this.printSelections(set.selections);
  }
}

function printDefer(group: number): string {
  return `${deferMarker}${group}")`;
}

/** Prints a part of an operation with internal names, without descriptions and block strings. */
function printCanonical(node: ASTNode): string {
  const canonical = visit(node, {
    [Kind.VARIABLE]: (variable) => {
      const { value } = variable.name;
      const internal = internalVariableName(value);
      return internal === value ? undefined : { ...variable, name: { kind: Kind.NAME, value: internal } };
    },
    [Kind.STRING]: (string, key) => (key === 'description' ? null : { ...string, block: false }),
  });
  return print(canonical);
}

const typenameField: FieldSelection = {
  kind: 'Field',
  responseName: '__typename',
  internalName: '__typename',
  fieldName: '__typename',
  arguments: [],
  directives: [],
  compositeType: undefined,
  selectionSet: undefined,
};

/** Whether a root selection consists of fields that the gateway answers without a subgraph: with introspection, or with an
 *  error because they are denied. */
export function isAnsweredByGateway(selection: Selection): boolean {
  switch (selection.kind) {
    case 'Field':
      return selection.fieldName.startsWith('__') || selection.isDenied === true;
    case 'Fragment':
      return selection.selectionSet.selections.every(isAnsweredByGateway);
    case 'Deferred':
      return selection.own.selections.every(isAnsweredByGateway);
  }
}
