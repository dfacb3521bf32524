import { describe, expect, test } from '@jest/globals';
import type { GraphQLFormattedError } from 'graphql';
import { GatewayError } from '../../../gateway/errors.ts';
import type { Execution } from '../../../gateway/execution/execution.ts';
import type { ExecutionError } from '../../../gateway/execution/executionDiagnostics.ts';
import { InvalidDataError } from '../../../gateway/execution/invalidDataError.ts';
import type { ErrorPolicy } from '../../../gateway/response/formatErrors.ts';
import { PathIndex } from '../../../gateway/response/pathIndex.ts';
import { ResponseErrors } from '../../../gateway/response/responseErrors.ts';
import { resolveInSlices } from '../../../gateway/time/slicedTask.ts';
import { schemaOf } from '../../harness/normalize.ts';
import { prepareText } from '../../harness/prepareText.ts';

const schema = schemaOf(`
  type Query { shop: Shop products: [Product] media: Media }
  interface Media { title: String }
  type Film implements Media { title: String }
  type Song implements Media { title: String }
  type Shop { name: String products: [Product] }
  type Product { id: ID! stock: Int size: Int! vendor: Vendor }
  type Vendor { name: String }
`);
const query =
  '{ shop { name products { stock size vendor { name } } } products { stock ... @defer { stock size vendor { name } } } media { ... on Film { title } } }';
const product = { __typename: 'Product', id: '1' };
const responseTree = { shop: { products: [product, product] }, products: [product], media: {} };

const timeout = new GatewayError('SUBGRAPH_TIMEOUT', 'It took too long.');
/** The error of a fetch in the primary data. `missing`: the fields that are missing because of it. */
const errorAt = (
  path: ExecutionError['path'],
  missing?: readonly string[],
  more: Partial<ExecutionError> = {},
): ExecutionError => ({
  path,
  subgraph: 'stock',
  reason: timeout,
  step: 1,
  group: 0,
  missing: missing && new Set(missing),
  ...more,
});
const formatted = (...path: (string | number)[]): GraphQLFormattedError => ({
  message: timeout.message,
  ...(path.length === 0 ? {} : { path }),
  extensions: { code: timeout.code },
});

interface ReadOptions {
  readonly maxBytes?: number;
  readonly policy?: Partial<ErrorPolicy>;
  readonly sourceOf?: Execution['sourceOf'];
  readonly tree?: Execution['tree'];
}

/** The errors of an execution of `query`, all of them read. */
async function read(errors: readonly ExecutionError[], options: ReadOptions = {}): Promise<ResponseErrors> {
  const { maxBytes = Number.POSITIVE_INFINITY, policy, sourceOf = () => undefined } = options;
  const { tree = responseTree } = options;
  const responseErrors = new ResponseErrors(
    prepareText(schema, query),
    { tree, errors, sourceOf } as Partial<Execution> as Execution,
    { exposeSubgraphErrors: false, exposeSubgraphs: false, ...policy },
    maxBytes,
  );
  await resolveInSlices(responseErrors.readNew());
  return responseErrors;
}

const primary = new Set([0]);
const deferred = new Set([1]);

describe('the cause of a missing field', () => {
  test('is the failure of the nearest object above for which the field is missing', async () => {
    const far = errorAt(['shop', 'products'], ['stock', 'size']);
    const near = errorAt(['shop', 'products', 1], ['stock']);
    const findCause = (await read([far, near])).causeFinder();
    expect(findCause(['shop', 'products', 0, 'stock'], 'stock')).toBe(far);
    expect(findCause(['shop', 'products', 1, 'stock'], 'stock')).toBe(near);
    expect(findCause(['shop', 'products', 1, 'size'], 'size')).toBe(far);
    expect(findCause(['shop', 'products', 1, 'vendor'], 'vendor')).toBeUndefined();
    expect(findCause(['products', 0, 'stock'], 'stock')).toBeUndefined();
  });

  test('is no error of a single field', async () => {
    const findCause = (await read([errorAt(['shop', 'products', 0, 'stock'])])).causeFinder();
    expect(findCause(['shop', 'products', 0, 'stock'], 'stock')).toBeUndefined();
  });

  test.each([
    ['may be null, so that only its entity is null', 'stock', true],
    ['may not be null, so that the object is null as well', 'size', false],
  ])('of a lost entity is the error of a field that %s', async (_, field, isCause) => {
    const object = ['shop', 'products', 0];
    const error = errorAt([...object, field], ['vendor'], { lostObject: object });
    const findCause = (await read([error])).causeFinder();
    expect(findCause([...object, 'vendor'], 'vendor')).toBe(isCause ? error : undefined);
  });

  test('of a lost entity is the error of a field that may not be null in the payloads without the field', async () => {
    const error = errorAt(['products', 0, 'size'], ['stock'], { lostObject: ['products', 0] });
    const errors = await read([error]);
    expect(errors.causeFinder()(['products', 0, 'stock'], 'stock')).toBe(error);
    expect(errors.causeFinder(deferred)(['products', 0, 'stock'], 'stock')).toBeUndefined();
    errors.markReported([{ kind: 'missing', cause: error, path: [] }]);
    expect(errors.causeFinder(deferred)(['products', 0, 'stock'], 'stock')).toBe(error);
  });

  test('of a lost entity is rather the error of a field that may not be null than another one', async () => {
    const object = ['products', 0];
    const [ofStock, ofSize] = ['stock', 'size'].map((field) =>
      errorAt([...object, field], ['stock'], { lostObject: object }),
    ) as [ExecutionError, ExecutionError];
    const findCause = (await read([ofStock, ofSize])).causeFinder();
    expect(findCause([...object, 'stock'], 'stock')).toBe(ofSize);
  });
});

describe('the errors of fetches', () => {
  const errorsOf = async (
    errors: ResponseErrors,
    groups: ReadonlySet<number> = primary,
    isDataNull = false,
  ): Promise<readonly GraphQLFormattedError[]> =>
    resolveInSlices(errors.errorsOfFetches(groups, 0, isDataNull));

  test('are those that no missing field has reported, at the objects of the fetch', async () => {
    const reported = errorAt(['shop'], ['name']);
    const errors = await read([reported, errorAt(['shop', 'products'], ['stock'])]);
    expect(await errorsOf(errors)).toEqual([formatted('shop'), formatted('shop', 'products')]);
    errors.markReported([
      { kind: 'missing', cause: reported, path: ['shop', 'name'] },
      { kind: 'denied', path: ['shop'] },
    ]);
    expect(await errorsOf(errors)).toEqual([formatted('shop', 'products')]);
  });

  test('are not repeated when two subgraphs fail alike at one path', async () => {
    const twice = ['stock', 'vendors'].map((subgraph) => errorAt(['shop'], [], { subgraph }));
    expect(await errorsOf(await read(twice))).toEqual([formatted('shop')]);
    const policy = { exposeSubgraphs: true };
    expect(await errorsOf(await read(twice, { policy }))).toHaveLength(2);
  });

  test('have one error of a failure at several root fields when data is null', async () => {
    const nested = [formatted('shop', 'name'), formatted('shop', 'products')];
    const errors = await read(['name', 'products'].map((field) => errorAt(['shop', field])));
    const ofRoots = await read([errorAt(['shop']), errorAt(['products'])]);
    expect(await errorsOf(ofRoots)).toEqual([formatted('shop'), formatted('products')]);
    expect(await errorsOf(ofRoots, primary, true)).toEqual([formatted('shop')]);
    expect(await errorsOf(errors, primary, true)).toEqual(nested);
  });

  test('are in the payload that has the field', async () => {
    const errors = await read([errorAt(['products', 0, 'size']), errorAt(['products', 0, 'stock'])]);
    expect(await errorsOf(errors)).toEqual([formatted('products', 0, 'stock')]);
    expect(await errorsOf(errors, deferred)).toEqual([formatted('products', 0, 'size')]);
  });

  test('are those of fields that the object has, also when its type is known later', async () => {
    const media: Record<string, unknown> = {};
    const errors = await read([errorAt(['media', 'title'])], { tree: { media } });
    expect(await errorsOf(errors)).toEqual([formatted('media', 'title')]);
    media.__typename = 'Song';
    expect(await errorsOf(errors)).toEqual([]);
  });

  test('are in the payload of their fetch when the field is in an earlier one', async () => {
    const errors = await read([errorAt(['products', 0, 'stock'], undefined, { group: 1 })]);
    expect(await errorsOf(errors)).toEqual([]);
    expect(await errorsOf(errors, deferred)).toEqual([formatted('products', 0, 'stock')]);
  });

  test('explain nulls at and below their path; that of an input, only those of its object', async () => {
    const errors = await read([errorAt(['shop', 'products', 0, 'sku']), errorAt(['shop', 'products', 1])]);
    const found = await errorsOf(errors);
    expect(found).toEqual([0, 1].map((index) => formatted('shop', 'products', index)));
    const paths = await resolveInSlices(errors.indexPaths(found));
    const isExplained = (...path: (string | number)[]) => paths.isRelated(['shop', 'products', ...path]);
    expect([0, 1].map((index) => isExplained(index, 'size'))).toEqual([true, true]);
    expect([0, 1].map((index) => isExplained(index, 'vendor', 'name'))).toEqual([false, true]);
  });

  test('refuse a payload that they make too large', async () => {
    const size = JSON.stringify(formatted('shop')).length;
    const many = ['name', 'products'].map((field) => errorAt(['shop', field]));
    const few = await read(many.slice(0, 1), { maxBytes: 2 * size });
    // Each payload is measured by itself.
    expect(await errorsOf(few)).toHaveLength(1);
    expect(await errorsOf(few)).toHaveLength(1);
    const invalid = {
      kind: 'unknown',
      message: 'x'.repeat(size),
      path: ['shop'],
      object: undefined,
    } as const;
    await expect(resolveInSlices(few.format([invalid], new PathIndex()))).rejects.toMatchObject({
      code: 'OPERATION_TOO_COMPLEX',
    });
    await expect(errorsOf(await read(many, { maxBytes: 2 * size }))).rejects.toMatchObject({
      code: 'OPERATION_TOO_COMPLEX',
    });
  });
});

test('all errors of a payload are those of its fetches and of its missing fields', async () => {
  const failure = errorAt(['shop'], ['name']);
  const errors = await read([failure, errorAt(['shop', 'products', 0, 'stock'])]);
  const missing = { kind: 'missing', cause: failure, path: ['shop', 'name'] } as const;
  expect(
    await resolveInSlices(errors.errorsOfGroups(primary, [missing], { data: {}, bytes: 0 } as never)),
  ).toEqual([formatted('shop', 'products', 0, 'stock'), formatted('shop', 'name')]);
});

describe('invalid data', () => {
  test('of a fetch is reported to the log', async () => {
    const reported: string[] = [];
    const reason = new InvalidDataError(
      'stock',
      'A subgraph returned an invalid response.',
      'data is a text',
    );
    await read([errorAt(['shop'], ['name'], { reason })], {
      policy: { onInvalidData: (subgraph, problem) => reported.push(`${subgraph}: ${problem}`) },
    });
    expect(reported).toEqual(['stock: data is a text']);
  });

  test('of a field is attributed to the subgraph that returned it, with its path without list indexes', async () => {
    const reported: string[] = [];
    const errors = await read([], {
      policy: { onInvalidData: (subgraph, problem) => reported.push(`${subgraph}: ${problem}`) },
      sourceOf: (path) => (path === 'shop.products.size' ? { path, subgraph: 'sizes' } : undefined),
    });
    const invalid = (field: string) => ({
      kind: 'null' as const,
      message: 'It is null.',
      path: ['shop', 'products', 1, field],
      object: undefined,
    });
    const found = await resolveInSlices(errors.format([invalid('size'), invalid('vendor')], new PathIndex()));
    expect(found.map(({ extensions }) => extensions?.code)).toEqual([
      'SUBGRAPH_INVALID_RESPONSE',
      'INTERNAL_SERVER_ERROR',
    ]);
    expect(reported).toEqual(['sizes: It is null. At: shop.products.size']);
  });
});
