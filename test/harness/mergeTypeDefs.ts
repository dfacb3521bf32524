import {
  type ASTNode,
  type ConstDirectiveNode,
  type DocumentNode,
  type FieldDefinitionNode,
  type InterfaceTypeDefinitionNode,
  Kind,
  type ObjectTypeDefinitionNode,
  type TypeDefinitionNode,
  visit,
} from 'graphql';

export interface MergedTypeDefs {
  /** One schema of all subgraphs, without any federation. */
  readonly document: DocumentNode;
  /** The subgraph that resolves each `Type.field`. */
  readonly owners: ReadonlyMap<string, string>;
  /** Types with an `@key`. */
  readonly entities: ReadonlySet<string>;
  /** `Type.field` of every field with a `@requires`. */
  readonly fieldsWithRequires: ReadonlySet<string>;
  /** `Type subgraph` if the subgraph knows the type only by its interface's name. */
  readonly interfaceObjects: ReadonlyMap<string, string>;
}

type CompositeDefinition = ObjectTypeDefinitionNode | InterfaceTypeDefinitionNode;

function isComposite(node: ASTNode): node is CompositeDefinition {
  return node.kind === Kind.OBJECT_TYPE_DEFINITION || node.kind === Kind.INTERFACE_TYPE_DEFINITION;
}

function hasDirective(
  node: { readonly directives?: readonly ConstDirectiveNode[] | undefined },
  name: string,
) {
  return node.directives?.some((directive) => directive.name.value === name) ?? false;
}

/** Lists fields that `@override(from:)` takes away, as `Type.field subgraph`. */
function listOverridden(subgraphs: ReadonlyMap<string, DocumentNode>): ReadonlySet<string> {
  const overridden = new Set<string>();
  for (const document of subgraphs.values()) {
    for (const type of document.definitions.filter(isComposite)) {
      for (const field of type.fields ?? []) {
        const override = field.directives?.find(({ name }) => name.value === 'override');
        const from = override?.arguments?.find(({ name }) => name.value === 'from')?.value;
        if (from?.kind === Kind.STRING)
          overridden.add(`${type.name.value}.${field.name.value} ${from.value}`);
      }
    }
  }
  return overridden;
}

/** Merges the schemas of the subgraphs without the composer. If several subgraphs have a field, the first one that is
 *  neither external nor overridden owns it, because the others must resolve it equally. */
export function mergeTypeDefs(subgraphs: ReadonlyMap<string, DocumentNode>): MergedTypeDefs {
  const types = new Map<string, TypeDefinitionNode>();
  const fields = new Map<string, Map<string, FieldDefinitionNode>>();
  const owners = new Map<string, string>();
  const entities = new Set<string>();
  const requiring = new Set<string>();
  const interfaceObjects = new Map<string, string>();
  const overridden = listOverridden(subgraphs);
  const implementers = listImplementers(subgraphs);

  function addField(typeName: string, field: FieldDefinitionNode, subgraph: string): void {
    const fieldsOfType = fields.get(typeName) ?? new Map<string, FieldDefinitionNode>();
    fields.set(typeName, fieldsOfType);
    if (fieldsOfType.has(field.name.value)) return;
    const coordinate = `${typeName}.${field.name.value}`;
    fieldsOfType.set(field.name.value, field);
    owners.set(coordinate, subgraph);
    if (hasDirective(field, 'requires')) requiring.add(coordinate);
  }

  for (const [subgraph, document] of subgraphs) {
    for (const type of document.definitions) {
      if (!('name' in type) || type.name === undefined || !('kind' in type)) continue;
      if (!type.kind.endsWith('TypeDefinition')) continue;
      const typeName = type.name.value;
      const isInterfaceObject = hasDirective(type as TypeDefinitionNode, 'interfaceObject');
      if (!isInterfaceObject && !types.has(typeName)) types.set(typeName, type as TypeDefinitionNode);
      if (!isComposite(type)) continue;

      const targets = isInterfaceObject ? [typeName, ...(implementers.get(typeName) ?? [])] : [typeName];
      for (const target of targets) {
        if (hasDirective(type, 'key')) entities.add(target);
        if (isInterfaceObject) interfaceObjects.set(`${target} ${subgraph}`, typeName);
        for (const field of type.fields ?? []) {
          const isElsewhere =
            hasDirective(type, 'external') ||
            hasDirective(field, 'external') ||
            overridden.has(`${typeName}.${field.name.value} ${subgraph}`);
          if (!isElsewhere) addField(target, field, subgraph);
        }
      }
    }
  }

  const merged: DocumentNode = {
    kind: Kind.DOCUMENT,
    definitions: [...types].map(([typeName, type]) =>
      isComposite(type) ? { ...type, fields: [...(fields.get(typeName)?.values() ?? [])] } : type,
    ),
  };
  return {
    document: visit(merged, { enter: dropDirective }),
    owners,
    entities,
    fieldsWithRequires: requiring,
    interfaceObjects,
  };
}

/** A visitor's result: null removes the node, `undefined` keeps it. */
function dropDirective(node: ASTNode): null | undefined {
  return node.kind === Kind.DIRECTIVE && node.name.value !== 'deprecated' ? null : undefined;
}

function listImplementers(subgraphs: ReadonlyMap<string, DocumentNode>): ReadonlyMap<string, string[]> {
  const implementers = new Map<string, string[]>();
  for (const document of subgraphs.values()) {
    for (const type of document.definitions.filter(isComposite)) {
      for (const { name } of type.interfaces ?? []) {
        implementers.set(name.value, [...(implementers.get(name.value) ?? []), type.name.value]);
      }
    }
  }
  return implementers;
}
