import type { Json } from './answer.ts';

/** One operation to which `@apollo/gateway` and a monolith respond differently. The gateway must respond like the
 *  monolith. */
interface ApolloDifference {
  readonly name: string;
  readonly graph: string;
  /** Whether it can happen in any graph. Such a difference is recognised by its operation. */
  readonly isGraphIndependent?: true;
  /** Other graphs in which the difference occurs, in operations that contain nothing else. */
  readonly alsoInGraphs?: readonly string[];
  readonly source: string;
  readonly apollo: { readonly data?: Json; readonly errors?: readonly string[] };
  readonly expected: { readonly data: Json; readonly errors?: readonly string[] };
  readonly reason: string;
}

/** Written by hand and as small as possible. Errors are formatted by `errorLine`. */
export const apolloDifferences: readonly ApolloDifference[] = [
  {
    name: 'an alias that meets a key field',
    graph: 'keys',
    isGraphIndependent: true,
    source: '{ user(id: "u1") { login: id tags { name } } }',
    apollo: { data: { user: null } },
    expected: { data: { user: { login: 'u1', tags: [{ name: 'x' }, { name: 'y' }] } } },
    reason: 'An alias names a value for the client; the key that a representation needs is another value.',
  },
  {
    name: 'an alias that is called __typename',
    graph: 'keys',
    isGraphIndependent: true,
    source: '{ user(id: "u1") { __typename: login fullName } }',
    apollo: { data: { user: null } },
    expected: { data: { user: { __typename: 'ann', fullName: 'User u1.fullName({"upper":false})' } } },
    reason: 'It is an alias like any other, and what stands under it is not the type.',
  },
  {
    name: 'a condition on the first field of an object whose type is needed',
    graph: 'inaccessible',
    isGraphIndependent: true,
    source: '{ staff { bonus @skip(if: true) id } }',
    apollo: { data: { staff: [{ id: null }, { id: null }, { id: null }] } },
    expected: { data: { staff: [{ id: 'worker w1.id' }, { id: 'worker w2.id' }, { id: 'worker w3.id' }] } },
    reason:
      'What is skipped takes nothing along: the planner hangs the __typename that it needs on the first field.',
  },
  {
    name: 'fields of one subgraph that are selected for the objects of different types',
    graph: 'partialInputs',
    source: '{ owners { ... on Club { best { weight } } ... on Firm { best { town } } } }',
    apollo: { data: { owners: [{ best: { weight: null } }, { best: { town: null } }] } },
    expected: {
      data: {
        owners: [
          { best: { weight: 'Kid k1.weight<{"age":287400}>' } },
          { best: { town: 'Kid k3.town<{"home":{"town":"town of k3"}}>' } },
        ],
      },
    },
    reason:
      'Each field needs its own inputs only, and a kid that lacks the input of the other one is no less a kid.',
  },
  {
    name: 'the same field with other arguments in a @requires and in the operation',
    graph: 'requiresArguments',
    source: '{ room(id: "r1") { area(unit: INCH) rent } }',
    apollo: { data: { room: { area: 792914.5, rent: 'Room r1.rent<{"area":792914.5}>' } } },
    expected: { data: { room: { area: 792914.5, rent: 'Room r1.rent<{"area":49501.5}>' } } },
    reason: 'rent requires the area in feet, in any unit that the client selects.',
  },
  {
    name: 'the same field with other arguments in two @requires',
    graph: 'requiresArguments',
    source: '{ room(id: "r1") { rent sale } }',
    apollo: {
      data: { room: { rent: 'Room r1.rent<{"area":512350.5}>', sale: 'Room r1.sale<{"area":512350.5}>' } },
    },
    expected: {
      data: { room: { rent: 'Room r1.rent<{"area":49501.5}>', sale: 'Room r1.sale<{"area":512350.5}>' } },
    },
    reason: 'One requires feet and the other metres: no one value is right for both.',
  },
  {
    name: 'a computed input without its inputs',
    graph: 'requiresCircular',
    source: '{ part(id: "a") { cost } }',
    apollo: {
      data: { part: { cost: 601876.5 } },
      errors: ['part.origin: costs received a fetch of Part.origin without its inputs.'],
    },
    expected: { data: { part: { cost: 215038.5 } } },
    reason:
      'cost requires a tariff, which requires an origin, which requires a maker: origin is fetched without one.',
  },
  {
    name: 'a key with resolvable: false after a @requires',
    graph: 'unresolvableKeys',
    source: '{ job(slug: "slug-j1") { plan } }',
    apollo: {
      data: { job: { plan: null } },
      errors: ['job._entities: No key of jobs in {"__typename":"Job","load":348832,"id":"j1"}'],
    },
    expected: { data: { job: { plan: 'Job j1.plan<{"load":348832}>' } } },
    reason: 'The subgraph says that it cannot be entered by id, and has another key by which it can.',
  },
  {
    name: 'the path of an error among the entities of a list',
    graph: 'unresolvableKeys',
    isGraphIndependent: true,
    source: '{ jobs { plan } }',
    apollo: {
      data: { jobs: [{ plan: null }, { plan: null }, { plan: null }] },
      errors: ['jobs.@._entities: No key of jobs in {"__typename":"Job","load":348832,"id":"j1"}'],
    },
    expected: {
      data: {
        jobs: [
          { plan: 'Job j1.plan<{"load":348832}>' },
          { plan: 'Job j2.plan<{"load":568690}>' },
          { plan: 'Job j3.plan<{"load":640453}>' },
        ],
      },
    },
    reason: 'A path consists of response names and list indices; @ and _entities are neither.',
  },
  {
    name: 'the type of an object that went through an @interfaceObject',
    graph: 'interfaceObjects',
    alsoInGraphs: ['demo'],
    source: '{ book { stars __typename } }',
    apollo: { data: { book: null } },
    expected: { data: { book: { stars: 79806.5, __typename: 'Book' } } },
    reason: 'For that subgraph the book is a Media, which is no object type in any other subgraph.',
  },
  {
    name: 'what an @interfaceObject requires, of an object of another type',
    graph: 'interfaceObjectRequires',
    source: '{ best { ... on Film { headline } } }',
    apollo: {
      data: { best: {} },
      errors: ['best._entities: No key of ratings in {"__typename":"Media","title":"S1"}'],
    },
    expected: { data: { best: {} } },
    reason: 'Nothing is selected of a song: it is not to be sent to a subgraph, least of all without a key.',
  },
  {
    name: 'what one @interfaceObject requires of another',
    graph: 'interfaceObjectChain',
    source: '{ book { offer } }',
    apollo: {
      errors: [
        'undefined: Cannot add selection of field "Media.__typename" to selection set of parent type "Media" that is potentially an interface object type at runtime (INVALID_GRAPHQL)',
      ],
    },
    expected: {
      data: {
        book: { offer: 'Book b2.offer<{"headline":"Book b2.headline<{\\"title\\":\\"B2\\"}>"}>' },
      },
    },
    reason: 'The subgraphs can be called in sequence; the planner throws on its own intermediate result.',
  },
  {
    name: 'an abstract type of which clients see one member',
    graph: 'inaccessible',
    source: '{ staff(limit: 1) { boss { ... on Any { ... on Worker { rank } } } } }',
    apollo: { data: { staff: [{ boss: {} }] } },
    expected: { data: { staff: [{ boss: { rank: 'LOW' } }] } },
    reason: 'The boss is a Worker, which is of the type Any: both fragments apply.',
  },
  {
    name: 'the order in which mutations run where a named fragment has some of them',
    graph: 'mutations',
    source:
      'mutation { refund(account: "a2") { id } ...Payment } fragment Payment on Mutation { pay(account: "a2") { number } }',
    apollo: { data: { refund: { id: 'a2' }, pay: { number: 1 } } },
    expected: { data: { refund: { id: 'a2' }, pay: { number: 2 } } },
    reason: 'They run as they stand in the operation, one after the other; the payment is the second.',
  },
  {
    name: 'objects in lists of lists, of which two subgraphs have a part each',
    graph: 'values',
    alsoInGraphs: ['nonNull'],
    source: '{ trip(id: "t3") { legs { stops { name wait } } } }',
    apollo: { data: { trip: { legs: [{ stops: [[null, null], []] }] } } },
    expected: {
      data: { trip: { legs: [{ stops: [[{ name: 'stop 2 of t3.name', wait: 557723 }, null], []] }] } },
    },
    reason: 'Both subgraphs responded; the parts belong together at each path, however deep the list.',
  },
  {
    name: 'an error for a forbidden null',
    graph: 'nonNull',
    isGraphIndependent: true,
    source: '{ cell(id: "c4") { sum } }',
    apollo: { data: { cell: null } },
    expected: {
      data: { cell: null },
      errors: ['cell.sum: Cannot return null for non-nullable field Cell.sum.'],
    },
    reason: 'The specification wants a field error; Apollo tells it in extensions.valueCompletion.',
  },
  {
    name: 'the order of keys where a fragment stands between two uses of a field',
    graph: 'provides',
    isGraphIndependent: true,
    source: '{ shows { ... on Show { hall { id } ... on Concert { hall { name } } hall { seats } } } }',
    apollo: {
      data: {
        shows: [
          { hall: { id: 'h1', seats: 808167, name: 'Hall h1.name' } },
          { hall: { id: 'h2', seats: 310484 } },
          { hall: { id: 'h1', seats: 808167, name: 'Hall h1.name' } },
        ],
      },
    },
    expected: {
      data: {
        shows: [
          { hall: { id: 'h1', name: 'Hall h1.name', seats: 808167 } },
          { hall: { id: 'h2', seats: 310484 } },
          { hall: { id: 'h1', name: 'Hall h1.name', seats: 808167 } },
        ],
      },
    },
    reason: 'The specification orders fields as CollectFields meets them, including fragments.',
  },
  {
    name: 'an operation with @defer',
    graph: 'keys',
    isGraphIndependent: true,
    source: '{ user(id: "u1") { id ... @defer { fullName } } }',
    apollo: { errors: ['undefined: Unknown directive "@defer". (GRAPHQL_VALIDATION_FAILED)'] },
    expected: { data: { user: { id: 'u1', fullName: 'User u1.fullName({"upper":false})' } } },
    reason: 'Its schema has no @defer, though its planner can divide operations.',
  },
];

/** A graph that `@apollo/gateway` does not load, and its error message. */
export const refusedByApollo = {
  graph: 'contexts',
  message: 'https://specs.apollo.dev/context/v0.1 is for: SECURITY but is unsupported',
} as const;
