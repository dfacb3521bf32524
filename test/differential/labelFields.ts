import {
  type ConstDirectiveNode,
  type DocumentNode,
  type FieldDefinitionNode,
  Kind,
  type ObjectTypeDefinitionNode,
  parse,
  print,
  type TypeNode,
  visit,
} from 'graphql';

const scalars = new Set(['Int', 'Float', 'String', 'ID', 'Boolean']);

/** Adds a progressive `@override` to each field of a scalar type that another subgraph of its entity could take over.
 *  The label is the field's coordinate. */
export function labelFields(sdl: string): { readonly sdl: string; readonly labels: readonly string[] } {
  const document = parse(sdl, { noLocation: true });
  const subgraphs = namesOfGraphs(document);
  const labels: string[] = [];
  const labelled = visit(document, {
    [Kind.OBJECT_TYPE_DEFINITION]: (type: ObjectTypeDefinitionNode) => {
      const fields = type.fields?.map((field) => {
        const taken = findOverridePair(type, field);
        if (taken === undefined) return field;
        const label = `${type.name.value}.${field.name.value}`;
        labels.push(label);
        const joins = joinDirectives(
          `graph: ${taken.from}, overrideLabel: "${label}"`,
          `graph: ${taken.to}, override: "${subgraphs.get(taken.from)}", overrideLabel: "${label}"`,
        );
        const others = field.directives?.filter((directive) => directive !== taken.join) ?? [];
        return { ...field, directives: [...others, ...joins] };
      });
      return { ...type, fields };
    },
  });
  return { sdl: print(labelled), labels };
}

/** The only subgraph that has the field, and one that could take it over. */
function findOverridePair(type: ObjectTypeDefinitionNode, field: FieldDefinitionNode) {
  const keys = usesOf(type, 'join__type').filter((join) => argument(join, 'key') !== undefined);
  const keyFields = keys.flatMap((join) => argument(join, 'key')?.split(/\W+/) ?? []);
  const joins = usesOf(field, 'join__field');
  const owners = joins.filter((join) => argument(join, 'external') !== 'true');
  const [owner] = owners;
  const isPlain = owners.length === 1 && owner?.arguments?.length === 1;
  const types = [field.type, ...(field.arguments ?? []).map((given) => given.type)].map(namedType);
  if (!isPlain || keyFields.includes(field.name.value) || !types.every((name) => scalars.has(name))) return;
  const from = argument(owner, 'graph');
  const external = joins.filter((join) => join !== owner).map((join) => argument(join, 'graph'));
  const graphs = keys
    .filter((join) => argument(join, 'resolvable') !== 'false')
    .map((join) => argument(join, 'graph'));
  const to = graphs.find((graph) => graph !== from && !external.includes(graph));
  return from === undefined || to === undefined || !graphs.includes(from)
    ? undefined
    : { from, to, join: owner };
}

function namesOfGraphs(document: DocumentNode): ReadonlyMap<string, string> {
  const names = new Map<string, string>();
  visit(document, {
    [Kind.ENUM_VALUE_DEFINITION]: (value) => {
      for (const join of usesOf(value, 'join__graph'))
        names.set(value.name.value, argument(join, 'name') as string);
    },
  });
  return names;
}

function joinDirectives(...uses: readonly string[]): readonly ConstDirectiveNode[] {
  const text = uses.map((given) => `@join__field(${given})`).join(' ');
  const [type] = parse(`type T { f: Int ${text} }`, { noLocation: true }).definitions;
  return (type as ObjectTypeDefinitionNode).fields?.[0]?.directives ?? [];
}

function usesOf(node: { readonly directives?: readonly ConstDirectiveNode[] | undefined }, name: string) {
  return (node.directives ?? []).filter((directive) => directive.name.value === name);
}

function argument(directive: ConstDirectiveNode, name: string): string | undefined {
  const value = directive.arguments?.find((given) => given.name.value === name)?.value;
  return value === undefined || !('value' in value) ? undefined : String(value.value);
}

function namedType(type: TypeNode): string {
  return type.kind === Kind.NAMED_TYPE ? type.name.value : namedType(type.type);
}
