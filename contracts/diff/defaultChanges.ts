import type { TypeOfChangeType } from '@graphql-inspector/core';

/** A change by GraphQL Inspector. `type` determines the keys of `meta`. */
interface SchemaChange {
  readonly type: TypeOfChangeType;
  readonly meta: object;
}

type ChangeTexts = Readonly<Record<string, string | undefined>>;

/** The default value of an argument or input field in both versions, as text. */
interface DefaultValues {
  readonly before: string | undefined;
  readonly after: string | undefined;
}

/** `undefined` when the change is not about a default value. */
export function defaultValuesOf({ type, meta }: SchemaChange): DefaultValues | undefined {
  const texts = meta as ChangeTexts;
  switch (type) {
    case 'FIELD_ARGUMENT_DEFAULT_CHANGED':
    case 'INPUT_FIELD_DEFAULT_VALUE_CHANGED':
      return { before: texts.oldDefaultValue, after: texts.newDefaultValue };
    case 'DIRECTIVE_ARGUMENT_DEFAULT_VALUE_CHANGED':
      return {
        before: texts.oldDirectiveArgumentDefaultValue,
        after: texts.newDirectiveArgumentDefaultValue,
      };
    default:
      return undefined;
  }
}

export function describeDefaultChange(coordinate: string, { before, after }: DefaultValues): string {
  if (before === undefined) return `${coordinate} has a default value now, '${after}'`;
  if (after === undefined) return `${coordinate} has lost its default value, '${before}'`;
  return `The default value of ${coordinate} changed from '${before}' to '${after}'`;
}

/** Whether an argument or input field becomes non-null. */
export function becomesNonNull({ type, meta }: SchemaChange): boolean {
  const texts = meta as ChangeTexts;
  switch (type) {
    case 'FIELD_ARGUMENT_TYPE_CHANGED':
      return isNewlyNonNull(texts.oldArgumentType, texts.newArgumentType);
    case 'INPUT_FIELD_TYPE_CHANGED':
      return isNewlyNonNull(texts.oldInputFieldType, texts.newInputFieldType);
    default:
      return false;
  }
}

function isNewlyNonNull(before = '', after = ''): boolean {
  return after.endsWith('!') && !before.endsWith('!');
}

/** Whether a lost default value is part of a change to a required input, which the change of the type reports.
 *  `required` has the coordinates that became non-null. */
export function isImpliedByRequired(
  change: SchemaChange,
  coordinate: string,
  required: ReadonlySet<string>,
): boolean {
  const defaults = defaultValuesOf(change);
  return defaults !== undefined && defaults.after === undefined && required.has(coordinate);
}
