import { afterEach, expect, test } from '@jest/globals';
import { pino } from 'pino';
import { startInlineGateway } from '../harness/inlineGateway.ts';
import { disposeAfterSuite } from '../harness/suiteResources.ts';

// One field, and types that differ between subgraphs.
const subgraphs = [
  {
    name: 'library',
    sdl: `
      type Query { best: Book @shareable }
      type Book @key(fields: "id") { id: ID! title: String @shareable }
    `,
    resolvers: { Query: { best: () => ({ id: '1', title: 'A book' }) } },
  },
  {
    name: 'cinema',
    sdl: `
      type Query { best: Medium @shareable found: Medium hits: [Medium] }
      union Medium = Book | Film
      type Book @key(fields: "id") { id: ID! title: String @shareable }
      type Film @key(fields: "id") { id: ID! minutes: Int }
    `,
    resolvers: {
      Query: {
        best: () => ({ __typename: 'Book', id: '1', title: 'A book' }),
        found: () => ({ __typename: 'Film', id: '2', minutes: 90 }),
        hits: () => [],
      },
    },
  },
];

const gateway = disposeAfterSuite(await startInlineGateway({ subgraphs }));
afterEach(() => gateway.subgraph('cinema').reset());

test('a field that is an object in one subgraph and a union in another has its data', async () => {
  const { body } = await gateway.execute('{ best { ... on Book { title } } }');
  expect(body).toEqual({ data: { best: { title: 'A book' } } });
});

test('errors below an object of unknown type have their whole path', async () => {
  gateway.subgraph('cinema').answerWith(() => ({
    kind: 'json',
    body: {
      data: { hits: [null, { __typename: 'Nothing' }] },
      errors: [
        { message: 'one', path: ['hits', 0, 'minutes'] },
        { message: 'two', path: ['hits', 1, 'minutes'] },
      ],
    },
  }));
  const { body } = await gateway.execute('{ hits { ... on Film { minutes } } }');
  expect(body).toEqual({
    data: { hits: [null, null] },
    errors: [0, 1].map((index) => expect.objectContaining({ path: ['hits', index, 'minutes'] })),
  });
});

test('an operation that cannot be planned gets a response with data: null and PLANNING_FAILED, and its cause is logged', async () => {
  const lines: unknown[] = [];
  await using ghosts = await startInlineGateway({
    dependencies: {
      logger: pino({ level: 'error', base: null }, { write: (line) => lines.push(JSON.parse(line)) }),
    },
    subgraphs: [
      {
        name: 'house',
        sdl: `
          type Query { ghost: Ghost }
          interface Ghost @key(fields: "id") { id: ID! }
        `,
      },
      {
        name: 'attic',
        sdl: `
          type Query { heard: Ghost }
          type Ghost @key(fields: "id") @interfaceObject { id: ID! noise: String }
        `,
        resolvers: { Query: { heard: () => ({ id: 'g', noise: 'boo' }) } },
      },
    ],
  });
  const { status, body } = await ghosts.execute('{ ghost { noise } }');
  expect([status, body]).toEqual([
    200,
    { data: null, errors: [expect.objectContaining({ extensions: { code: 'PLANNING_FAILED' } })] },
  ]);
  expect(lines).toEqual([
    expect.objectContaining({
      msg: 'A valid operation could not be planned',
      requestId: expect.any(String),
      err: expect.objectContaining({ message: expect.stringContaining('no subgraph resolves') }),
    }),
  ]);
  expect((await ghosts.execute('{ heard { id noise } }')).body).toEqual({
    data: { heard: { id: 'g', noise: 'boo' } },
  });
});
