import { type DirectiveNode, Kind } from 'graphql';

/** Coerced values of the Boolean variables that conditions use. A condition on any other variable holds for `@include` and
 *  `@defer`, and not for `@skip`. */
export type BooleanVariables = Readonly<Record<string, unknown>>;

/** Whether `@skip` and `@include` leave a selection in the operation. */
export function isIncluded(
  directives: readonly DirectiveNode[] | undefined,
  variables: BooleanVariables,
): boolean {
  return (
    directives === undefined ||
    directives.every(({ name, arguments: args }) => {
      if (name.value === 'skip') return !conditionOf(args, variables, false);
      return name.value !== 'include' || conditionOf(args, variables, true);
    })
  );
}

/** The `@defer` of a fragment; `undefined` without one, or if its condition is false. */
export function activeDeferOf(
  directives: readonly DirectiveNode[] | undefined,
  variables: BooleanVariables,
): { readonly label: string | undefined } | undefined {
  const defer = directives?.find(({ name }) => name.value === 'defer');
  if (defer === undefined || !conditionOf(defer.arguments, variables, true)) return undefined;
  const label = defer.arguments?.find(({ name }) => name.value === 'label')?.value;
  return { label: label?.kind === Kind.STRING ? label.value : undefined };
}

function conditionOf(
  args: DirectiveNode['arguments'],
  variables: BooleanVariables,
  fallback: boolean,
): boolean {
  const value = args?.find(({ name }) => name.value === 'if')?.value;
  if (value?.kind === Kind.BOOLEAN) return value.value;
  if (value?.kind !== Kind.VARIABLE) return fallback;
  const given = variables[value.name.value];
  return typeof given === 'boolean' ? given : fallback;
}
