import { z } from 'zod';
import { parseArgumentTemplate } from '../argumentTemplate.ts';
import { isCacheTag } from '../isCacheTag.ts';
import { flag, nonBlankText, scalar, text } from '../scalars.ts';

/** A value of an entity's key: text with places for arguments, or what has such texts at its leaves. */
type EntityTemplateValue =
  | string
  | number
  | boolean
  | null
  | readonly EntityTemplateValue[]
  | { readonly [name: string]: EntityTemplateValue };

interface EntityTemplate {
  readonly __typename: string;
  readonly [field: string]: EntityTemplateValue;
}

const maxTemplateDepth = 20;

const entity = scalar<EntityTemplate, EntityTemplate>({
  title: 'object',
  expected:
    "an entity such as { __typename: Product, id: '{args.productId}' }: braces only around `args.` and a name",
  read: (input) => (isEntity(input) ? input : undefined),
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
      'Everything that holds an entity of the answer: of those whose keys are selected, these; of others, all of their types.',
    )
    .prefault(true),
  types: z
    .array(nonBlankText('the name of a type'))
    .describe('Everything that holds an object of these types.')
    .prefault([]),
  entities: z
    .array(entity)
    .describe(
      "Everything that holds these entities: `__typename` and the fields of a key. `{args.productId}` stands for the field's argument, `{args.input.id}` for a part of one. One whose argument is missing, null, a list or an object is left out, with a line in the log.",
    )
    .prefault([]),
  tags: z
    .array(
      text({
        title: 'text',
        expected: 'text that is neither blank nor holds a NUL, with braces only around `args.` and a name',
        isValid: (value) => isCacheTag(value) && parseArgumentTemplate(value) !== undefined,
      }),
    )
    .describe('Everything with these tags, such as `product-{args.id}`.')
    .prefault([]),
  subgraphs: z
    .array(nonBlankText('the name of a subgraph'))
    .describe('Everything that these subgraphs have answered.')
    .prefault([]),
});

/** The part of the section `cache` that says what mutations invalidate. */
export const cacheMutationOptions = {
  mutations: z
    .record(
      z
        .string()
        .regex(/^[_A-Za-z][_0-9A-Za-z]*\.[_A-Za-z][_0-9A-Za-z]*$/, 'a field such as `Mutation.addReview`'),
      mutation,
    )
    .meta({ title: 'invalidation by mutation' })
    .describe(
      'What is invalidated once a mutation has been answered, with errors or without, by its field such as `Mutation.addReview`; `{}` for what its answer holds. Others invalidate nothing.',
    )
    .prefault({}),
};
