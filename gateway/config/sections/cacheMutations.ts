import { z } from 'zod';
import { parseArgumentTemplate } from '../argumentTemplate.ts';
import { isCacheTag } from '../isCacheTag.ts';
import { fieldCoordinate, flag, nonBlankText, scalar, text } from '../scalars.ts';

/** A value of an entity's key, whose strings may contain argument templates. */
type EntityTemplateValue =
  | string
  | number
  | boolean
  | null
  | readonly EntityTemplateValue[]
  | { readonly [name: string]: EntityTemplateValue };

export interface EntityTemplate {
  readonly __typename: string;
  readonly [field: string]: EntityTemplateValue;
}

const maxTemplateDepth = 20;

const entity = scalar<EntityTemplate, EntityTemplate>({
  title: 'object',
  expected:
    "an entity such as { __typename: Product, id: '{args.productId}' }: braces only around `args.` and a name",
  // The configuration is frozen, and objects of an application must not be frozen with it.
  read: (input) => (isEntity(input) ? structuredClone(input) : undefined),
  editorSchemas: [
    {
      type: 'object',
      properties: { __typename: { type: 'string' } },
      required: ['__typename'],
      minProperties: 2,
    },
  ],
});

function isEntity(input: unknown): input is EntityTemplate {
  if (typeof input !== 'object' || input === null || Array.isArray(input)) return false;
  const typename = Object.hasOwn(input, '__typename') ? (input as EntityTemplate).__typename : undefined;
  return (
    typeof typename === 'string' &&
    !/[{}]/.test(typename) &&
    Object.keys(input).length > 1 &&
    isTemplate(input, maxTemplateDepth)
  );
}

function isTemplate(value: unknown, levels: number): boolean {
  if (typeof value === 'string') return parseArgumentTemplate(value) !== undefined;
  if (typeof value === 'number' || typeof value === 'boolean' || value === null) return true;
  if (typeof value !== 'object' || levels === 0) return false;
  return Object.values(value).every((member) => isTemplate(member, levels - 1));
}

const mutation = z.strictObject({
  result: flag()
    .describe(
      'Invalidate the entities in the result: by the selected keys, or their whole type if no key is selected.',
    )
    .prefault(true),
  types: z
    .array(nonBlankText('the name of a type'))
    .describe('Invalidate all entries with an object of these types.')
    .prefault([]),
  entities: z
    .array(entity)
    .describe(
      'Invalidate all entries with these entities, each given as `__typename` and the fields of a key. `{args.productId}` is an argument of the field, `{args.input.id}` a part of one. An entity whose argument is missing, null, a list or an object is skipped and logged.',
    )
    .prefault([]),
  tags: z
    .array(
      text({
        title: 'text',
        expected:
          'a string that is not blank and contains no NUL, with braces only around `args.` and a name',
        isValid: (value) => isCacheTag(value) && parseArgumentTemplate(value) !== undefined,
      }),
    )
    .describe('Invalidate all entries with these tags, such as `product-{args.id}`.')
    .prefault([]),
  subgraphs: z
    .array(nonBlankText('the name of a subgraph'))
    .describe('Invalidate all values of these subgraphs.')
    .prefault([]),
});

/** The options of the section `cache` for invalidation by mutations. */
export const cacheMutationOptions = {
  mutations: z
    .record(fieldCoordinate('Mutation.addReview'), mutation)
    .meta({ title: 'invalidation by mutation' })
    .describe(
      'What each mutation invalidates when it was answered, with or without errors, by its field such as `Mutation.addReview`; `{}` for the entities in its result. Mutations that are not listed invalidate nothing.',
    )
    .prefault({}),
};
