import {
  type ConstDirectiveNode,
  type DirectiveDefinitionNode,
  type FieldDefinitionNode,
  type InputValueDefinitionNode,
  Kind,
  print,
  type TypeDefinitionNode,
} from 'graphql';
import { canonicalizeDirective, printValue } from './canonicalizeDirective.ts';
import { readCanonicalSubgraph } from './canonicalSubgraph.ts';

/** A subgraph's SDL in canonical form: equal for every SDL with the same meaning. Order, descriptions, white space,
 *  the names of imported directives and what a subgraph library adds do not count. The result is for comparison and
 *  for people; it does not compose.
 *  @throws {GraphQLError} when the SDL does not parse. */
export function canonicalizeSdl(sdl: string): string {
  const { types, directives, links, composedDirectives } = readCanonicalSubgraph(sdl);
  const schema = [
    ...links.map(({ url }) => `extend schema @link(url: ${JSON.stringify(url.replace(/\/$/, ''))})`),
    ...[...composedDirectives.keys()].map((name) => `extend schema @composeDirective(name: "@${name}")`),
  ];
  const definitions = [
    ...[...directives.values()].map(printDirectiveDefinition),
    ...[...types.values()].map(printType),
  ];
  return [schema.sort().join('\n'), ...definitions.sort()]
    .filter((part) => part !== '')
    .map((part) => `${part}\n`)
    .join('\n');
}

function printDirectiveDefinition(definition: DirectiveDefinitionNode): string {
  const { name, repeatable, locations } = definition;
  const sortedLocations = locations.map(({ value }) => value).sort();
  return `directive @${name.value}${printArguments(definition)}${repeatable ? ' repeatable' : ''} on ${sortedLocations.join(' | ')}`;
}

function printType(type: TypeDefinitionNode): string {
  const head = `${type.name.value}${printDirectives(type)}`;
  switch (type.kind) {
    case Kind.SCALAR_TYPE_DEFINITION:
      return `scalar ${head}`;
    case Kind.UNION_TYPE_DEFINITION:
      return `union ${head} = ${names(type.types).join(' | ')}`;
    case Kind.ENUM_TYPE_DEFINITION:
      return `enum ${head}${block(type.values?.map((value) => `${value.name.value}${printDirectives(value)}`))}`;
    case Kind.INPUT_OBJECT_TYPE_DEFINITION:
      return `input ${head}${block(type.fields?.map(printInput))}`;
    default: {
      const word = type.kind === Kind.INTERFACE_TYPE_DEFINITION ? 'interface' : 'type';
      const interfaces = names(type.interfaces);
      const implemented = interfaces.length === 0 ? '' : ` implements ${interfaces.join(' & ')}`;
      return `${word} ${type.name.value}${implemented}${printDirectives(type)}${block(type.fields?.map(printField))}`;
    }
  }
}

function printField(field: FieldDefinitionNode): string {
  return `${field.name.value}${printArguments(field)}: ${print(field.type)}${printDirectives(field)}`;
}

function printArguments({
  arguments: given = [],
}: {
  readonly arguments?: readonly InputValueDefinitionNode[] | undefined;
}): string {
  return given.length === 0 ? '' : `(${given.map(printInput).sort().join(', ')})`;
}

function printInput(input: InputValueDefinitionNode): string {
  const defaultValue = input.defaultValue === undefined ? '' : ` = ${printValue(input.defaultValue)}`;
  return `${input.name.value}: ${print(input.type)}${defaultValue}${printDirectives(input)}`;
}

function printDirectives({
  directives = [],
}: {
  readonly directives?: readonly ConstDirectiveNode[] | undefined;
}): string {
  return [...new Set(directives.map(canonicalizeDirective))]
    .sort()
    .map((directive) => ` ${directive}`)
    .join('');
}

function names(nodes: readonly { readonly name: { readonly value: string } }[] = []): string[] {
  return [...new Set(nodes.map(({ name }) => name.value))].sort();
}

function block(lines: readonly string[] = []): string {
  const sorted = [...lines].sort().map((line) => `  ${line}\n`);
  return sorted.length === 0 ? '' : ` {\n${sorted.join('')}}`;
}
