import type { TypeOfChangeType } from '@graphql-inspector/core';

/** A change as the library tells it, whose type says what the rest is. */
interface SchemaChange {
  readonly type: TypeOfChangeType;
  readonly meta: object;
}

type ChangeTexts = Readonly<Record<string, string | undefined>>;

/** The default value of an argument or input field in both versions, as text; `undefined` where there is none. */
interface DefaultValues {
  readonly before: string | undefined;
  readonly after: string | undefined;
}

/** `undefined` for a change that is about something else. */
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

/** `undefined` where both versions have one, which the library has words for. */
export function describeDefaultChange(
  coordinate: string,
  { before, after }: DefaultValues,
): string | undefined {
  if (before === undefined) return `${coordinate} has a default value now, '${after}'`;
  return after === undefined ? `${coordinate} has lost its default value, '${before}'` : undefined;
}

/** Whether an argument or input field may not be null any more. */
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

/** Whether a default value is gone from what may not be null any more: that it has to be given is one change, and its
 *  type tells it. `required` has what may not be null any more. */
export function isImpliedByRequired(
  change: SchemaChange,
  coordinate: string,
  required: ReadonlySet<string>,
): boolean {
  const defaults = defaultValuesOf(change);
  return defaults !== undefined && defaults.after === undefined && required.has(coordinate);
}
