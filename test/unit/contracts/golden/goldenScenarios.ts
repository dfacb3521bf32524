import { add, append, type Edit, replace } from './changeContracts.ts';
import { breaking, dangerous, type GoldenRow, safe } from './goldenRow.ts';
import { clubs, link, media, parcels, shelves } from './moreSubgraphs.ts';

const mutationsOfReviews =
  'type Mutation {\n  addReview(input: ReviewInput!): Review\n  removeReview(id: ID!): Boolean!\n}\n\n';
const subscriptionsOfReviews = 'type Subscription {\n  reviewAdded(film: ID): Review!\n}\n\n';
/** A second subgraph that serves this field of films. */
function postersServing(field: string): Edit {
  return add(
    'posters',
    `${link.replace('"@key"', '"@key", "@shareable"')}
type Query {
  printed: Film
}

type Film @key(fields: "id") {
  id: ID!
  ${field}
}
`,
  );
}

const flyers = 'query Flyers { onSale { flyer } }';

/** A field of tickets that is computed from the poster. */
function flyerFrom(required: string): readonly Edit[] {
  const fields = `  poster(width: Int = 200, height: Int, dpi: Int): String @external\n  flyer: String @requires(fields: "${required}")\n`;
  return [replace('tickets', '  projector: String', `${fields}  projector: String`)];
}

const lookup = replace(
  'films',
  'type Query {\n',
  'input Lookup {\n  id: ID\n  code: String\n}\n\ntype Query {\n  lookup(by: Lookup!): Film\n',
);

const lookupOfReviews = replace(
  'reviews',
  'type Query {\n',
  'input Lookup {\n  id: ID\n  code: String\n}\n\ntype Query {\n  reviewed(by: Lookup!): Review\n',
);

/** Changes with several breakages of one operation, of root types, and of values that are still returned; and changes of
 *  graphs or operations that the base does not have. With all findings of a check. */
export const goldenScenarios: readonly GoldenRow[] = [
  // @oneOf
  {
    name: 'an input type becomes a @oneOf type, where a nullable variable is its only field',
    before: [replace('films', 'from: Int = 1895', 'from: Int')],
    edits: [replace('films', 'input Years {', 'input Years @oneOf {')],
    findings: [breaking('one-of-added', 'films', 'Years', ['web/Archive'], 'expand and contract')],
  },
  {
    name: 'an input type becomes a @oneOf type, where clients send the object in a variable',
    before: [replace('films', 'minMinutes: Int = 0', 'minMinutes: Int')],
    edits: [replace('films', 'input FilmFilter {', 'input FilmFilter @oneOf {')],
    findings: [
      breaking(
        'one-of-added',
        'films',
        'FilmFilter',
        ['kiosk/Dramas', 'web/FilmList'],
        'expand and contract',
      ),
    ],
  },
  {
    name: 'an input type becomes a @oneOf type, where clients write one field out',
    before: [lookup],
    operations: 'query Found($id: ID!) { lookup(by: { id: $id }) { title } }',
    edits: [replace('films', 'input Lookup {', 'input Lookup @oneOf {')],
    findings: [dangerous('one-of-added', 'films', 'Lookup', ['more/Found'])],
  },
  {
    name: 'an input type becomes a @oneOf type, and the field that takes it is removed',
    before: [lookup],
    operations: 'query Found { lookup(by: { id: 1, code: "a" }) { title } featured { title } }',
    edits: [
      replace('films', 'input Lookup {', 'input Lookup @oneOf {'),
      replace('films', 'lookup(by: Lookup!)', 'other(by: Lookup!)'),
    ],
    findings: [
      safe('field-added', 'films', 'Query.other'),
      breaking('field-removed', 'films', 'Query.lookup', ['more/Found'], 'expand and contract'),
      breaking('one-of-added', 'films', 'Lookup', ['more/Found'], 'expand and contract'),
    ],
  },
  {
    name: 'an input type is no longer a @oneOf type',
    before: [lookup, replace('films', 'input Lookup {', 'input Lookup @oneOf {')],
    operations: 'query Found($by: Lookup!) { lookup(by: $by) { title } }',
    edits: [replace('films', 'input Lookup @oneOf {', 'input Lookup {')],
    findings: [safe('one-of-removed', 'films', 'Lookup')],
  },
  {
    name: 'an input type becomes a @oneOf type in one of its subgraphs',
    before: [lookup, lookupOfReviews],
    operations:
      'query Found { lookup(by: { id: 1, code: "a" }) { title } } query FoundBy($by: Lookup!) { lookup(by: $by) { title } } query Reviewed($by: Lookup!) { reviewed(by: $by) { text } }',
    edits: [replace('films', 'input Lookup {', 'input Lookup @oneOf {')],
    findings: [
      breaking('one-of-added', 'films', 'Lookup', ['more/Found', 'more/FoundBy'], 'expand and contract'),
      dangerous('composition-hint', 'reviews', 'Lookup'),
    ],
  },
  {
    name: 'an input type becomes a @oneOf type in the last of its subgraphs',
    before: [lookup, lookupOfReviews, replace('films', 'input Lookup {', 'input Lookup @oneOf {')],
    operations:
      'query Found($id: ID!) { lookup(by: { id: $id }) { title } reviewed(by: { id: $id }) { text } }',
    edits: [replace('reviews', 'input Lookup {', 'input Lookup @oneOf {')],
    findings: [dangerous('one-of-added', 'reviews', 'Lookup', ['more/Found'])],
  },
  // a second breakage of an operation
  {
    name: 'a selected field is removed, and another of the same operation gets another type',
    edits: [
      replace('films', '  tagline: String\n', ''),
      replace('films', '  genre: Genre\n  released', '  genre: [Genre!]\n  released'),
    ],
    findings: [
      breaking('field-removed', 'films', 'Film.tagline', ['web/FilmPage'], 'expand and contract'),
      breaking('field-type-changed', 'films', 'Film.genre', ['web/FilmPage'], 'expand and contract'),
    ],
  },
  {
    name: 'a field and a field below it are removed',
    edits: [
      replace('films', '  film(id: ID!): Film\n', ''),
      replace('films', '  tagline: String\n', ''),
      replace('films', 'height: Int, dpi: Int', 'height: String, dpi: Int'),
      replace('films', '  genre: Genre\n  released', '  genre(of: String!): Genre\n  released'),
    ],
    findings: [
      breaking('field-removed', 'films', 'Query.film', ['web/FilmPage'], 'expand and contract'),
      breaking('field-removed', 'films', 'Film.tagline', ['web/FilmPage'], 'expand and contract'),
      breaking(
        'argument-type-changed',
        'films',
        'Film.poster(height:)',
        ['web/FilmPage'],
        'expand and contract',
      ),
      breaking('argument-added', 'films', 'Film.genre(of:)', ['web/FilmPage'], 'expand and contract'),
    ],
  },
  {
    name: 'a selected field is removed, and an argument of the same operation takes no nulls any more',
    edits: [
      replace('films', '  tagline: String\n', ''),
      replace(
        'reviews',
        'reviews(first: Int = 2, kind: ReviewKind)',
        'reviews(first: Int! = 2, kind: ReviewKind)',
      ),
    ],
    findings: [
      breaking('field-removed', 'films', 'Film.tagline', ['web/FilmPage'], 'expand and contract'),
      breaking(
        'argument-type-changed',
        'reviews',
        'Film.reviews(first:)',
        ['web/FilmPage'],
        'expand and contract',
      ),
    ],
  },
  {
    name: 'a selected field is removed, and another field of the same operation is required',
    edits: [
      replace('films', '  score: Float\n', ''),
      replace('tickets', '@requires(fields: "minutes released")', '@requires(fields: "minutes format")'),
      replace('tickets', '  released: Date! @external\n', ''),
      replace('tickets', 'scalar Date\n\n', ''),
    ],
    findings: [
      breaking('field-removed', 'films', 'Film.score', ['web/FilmList'], 'expand and contract'),
      safe('type-removed', 'tickets', 'Date'),
      safe('external-field-removed', 'tickets', 'Film.released'),
      breaking(
        'requires-widened',
        'tickets',
        'Film.seatPrice',
        ['app/Tonight', 'web/FilmList'],
        'expand and contract',
      ),
      breaking(
        'requires-narrowed',
        'tickets',
        'Film.seatPrice',
        ['app/Tonight', 'web/FilmList'],
        'expand and contract',
      ),
    ],
  },
  {
    name: 'a subgraph gets a default value that another subgraph with the field does not have',
    before: [
      replace('films', '  score: Float\n', '  score: Float\n  slogan(length: Int): String @shareable\n'),
      replace('reviews', '"@override"]', '"@override", "@shareable"]'),
      replace(
        'reviews',
        '  ageRating: String @override',
        '  slogan(length: Int): String @shareable\n  ageRating: String @override',
      ),
    ],
    operations: 'query Slogan($length: Int) { film(id: 1) { slogan(length: $length) } }',
    edits: [replace('films', 'slogan(length: Int)', 'slogan(length: Int = 20)')],
    findings: [
      dangerous('argument-default-changed', 'films', 'Film.slogan(length:)', ['more/Slogan']),
      dangerous('composition-hint', 'films', 'Film.slogan(length:)'),
    ],
  },
  // root types
  {
    name: 'a subgraph loses its mutations while another subgraph has some',
    edits: [replace('reviews', mutationsOfReviews, '')],
    findings: [
      breaking('mutation-type-changed', 'reviews', 'Mutation', ['web/AddReview'], 'expand and contract'),
    ],
  },
  {
    name: 'a subgraph loses mutations that no operation uses',
    edits: [replace('members', 'type Mutation {\n  rename(name: String!): Member\n}\n\n', '')],
    findings: [dangerous('mutation-type-changed', 'members', 'Mutation')],
  },
  {
    name: 'a mutation moves to a subgraph without mutations',
    before: [
      add('posters', `${link}type Query { posters: Int }\n\ntype Mutation { hang(poster: ID!): Boolean }`),
    ],
    operations: 'mutation Hang { hang(poster: "poster-1") }',
    edits: [
      replace('posters', '\n\ntype Mutation { hang(poster: ID!): Boolean }', ''),
      append('films', 'type Mutation { hang(poster: ID!): Boolean }'),
    ],
    findings: [
      safe('mutation-type-changed', 'films', 'Mutation', ['more/Hang'], 'subgraph first'),
      dangerous('mutation-type-changed', 'posters', 'Mutation', ['more/Hang'], 'gateway first'),
    ],
  },
  {
    name: 'a subscription moves to a subgraph without subscriptions',
    edits: [
      replace('reviews', subscriptionsOfReviews, ''),
      append(
        'films',
        'type Subscription { reviewAdded(film: ID): Review! }\ntype Review @key(fields: "id", resolvable: false) { id: ID! }',
      ),
    ],
    findings: [
      safe('subscription-type-changed', 'films', 'Subscription', ['web/ReviewAdded'], 'subgraph first'),
      safe('type-added', 'films', 'Review'),
      dangerous('subscription-type-changed', 'reviews', 'Subscription', ['web/ReviewAdded'], 'gateway first'),
      dangerous('plan-cost', undefined, 'web/ReviewAdded', ['web/ReviewAdded']),
    ],
  },
  // values that are still returned
  {
    name: 'a value that is received becomes inaccessible',
    edits: [
      replace('members', '  GOLD\n', '  GOLD @inaccessible\n'),
      replace('members', '"@shareable", ', '"@shareable", "@inaccessible", '),
    ],
    findings: [breaking('inaccessible-added', 'members', 'Level.GOLD', ['app/Me'], 'expand and contract')],
  },
  {
    name: 'a value of a field that no operation selects becomes inaccessible',
    edits: [replace('films', '  FILM_35\n', '  FILM_35 @inaccessible\n')],
    findings: [dangerous('inaccessible-added', 'films', 'Format.FILM_35')],
  },
  {
    name: 'a type of a union and an interface becomes inaccessible',
    operations: 'query Titles { featured { title } }',
    edits: [
      replace(
        'films',
        'type Series implements Titled @key',
        'type Series implements Titled @inaccessible @key',
      ),
    ],
    findings: [
      breaking(
        'inaccessible-added',
        'films',
        'Series',
        ['app/Featured', 'more/Titles', 'web/Search'],
        'expand and contract',
      ),
    ],
  },
  {
    name: 'the only type of an interface becomes inaccessible',
    before: [
      append('films', 'interface Award { year: Int }\ntype Oscar implements Award { year: Int }'),
      replace('films', 'type Query {\n', 'type Query {\n  award: Award\n'),
    ],
    operations: 'query Award { award { year } }',
    edits: [replace('films', 'type Oscar implements Award {', 'type Oscar implements Award @inaccessible {')],
    findings: [breaking('inaccessible-added', 'films', 'Oscar', ['more/Award'], 'expand and contract')],
  },
  {
    name: 'a type leaves an interface that a fragment names',
    operations: 'query Hits { search(text: "a") { __typename ... on Titled { title } } }',
    edits: [replace('films', 'type Series implements Titled @key', 'type Series @key')],
    findings: [
      breaking('interface-removed', 'films', 'Series', ['app/Featured', 'more/Hits'], 'expand and contract'),
    ],
  },
  {
    name: 'a type joins an interface that a fragment names',
    before: [
      replace('films', '  handle: String!\n', '  handle: String!\n  title: String!\n'),
      replace('films', 'Film | Series | Person', 'Person | Film | Series'),
    ],
    operations: 'query Hits { search(text: "a") { ...Title } }\nfragment Title on Titled { title }',
    edits: [replace('films', 'type Person @key', 'type Person implements Titled @key')],
    // Running gateways do not expect it in featured films, and new ones miss its title in hits.
    findings: [
      breaking('interface-added', 'films', 'Person', ['app/Featured', 'more/Hits'], 'expand and contract'),
    ],
  },
  {
    name: 'an interface object becomes the interface itself',
    before: media,
    operations: 'query Best { best { __typename id } }',
    edits: [
      replace(
        'ratings',
        'type Media @key(fields: "id") @interfaceObject {\n  id: ID!\n  rating: Float\n}',
        'interface Media {\n  id: ID!\n}\n\ntype Book implements Media @key(fields: "id") {\n  id: ID!\n}',
      ),
    ],
    findings: [
      safe('interface-object-removed', 'ratings', 'Media', ['more/Best'], 'subgraph first'),
      safe('key-removed', 'ratings', 'Media'),
      dangerous('field-removed', 'ratings', 'Media.rating'),
      safe('type-added', 'ratings', 'Book'),
    ],
  },
  {
    name: 'a subgraph returns a type in a union that only another subgraph returned before',
    before: ['a', 'b'].map((subgraph) =>
      add(
        subgraph,
        `${link.replace('"@key"', '"@shareable"')}type Query { ${subgraph}: Hit }

union Hit = ${subgraph === 'a' ? 'Page' : 'Page | Ad'}

type Page @shareable { url: String! }

type Ad @shareable { text: String! }
`,
      ),
    ),
    operations: 'query Texts { a { ... on Page { url } ... on Ad { text } } }',
    edits: [replace('a', 'union Hit = Page', 'union Hit = Ad | Page')],
    findings: [breaking('union-member-added', 'a', 'Hit', ['more/Texts'], 'expand and contract')],
  },
  // inputs of other subgraphs
  {
    name: 'a key that receives inputs stops being resolvable, while the entity is also reached without it',
    before: clubs,
    operations: 'query Fee { club { town { fee } } }',
    edits: [replace('dues', 'Town @key(fields: "id")', 'Town @key(fields: "id", resolvable: false)')],
    findings: [
      breaking('key-not-resolvable', 'dues', 'Town', ['more/Fee'], 'expand and contract'),
      dangerous('plan-cost', undefined, 'more/Fee', ['more/Fee']),
    ],
  },
  {
    name: 'a part of a required value becomes nullable, which the requiring subgraph has as non-null',
    before: parcels,
    operations: 'query Postage { parcel { postage } } query Parcel { parcel { id } }',
    edits: [replace('parcels', 'width: Int!', 'width: Int')],
    findings: [
      breaking('field-type-changed', 'parcels', 'Size.width', ['more/Postage'], 'expand and contract'),
      dangerous('composition-hint', 'parcels', 'Size.width'),
    ],
  },
  {
    name: 'a part of a required value is deprecated, which was nullable before',
    before: [...parcels, replace('parcels', 'width: Int!', 'width: Int')],
    operations: 'query Postage { parcel { postage } }',
    edits: [replace('parcels', 'width: Int', 'width: Int @deprecated')],
    findings: [safe('deprecation-added', 'parcels', 'Size.width')],
  },
  {
    name: 'a required field gets an argument',
    before: flyerFrom('poster'),
    operations: flyers,
    edits: [replace('tickets', '(fields: "poster")', '(fields: "poster(width: 300)")')],
    findings: [
      breaking('requires-widened', 'tickets', 'Film.flyer', ['more/Flyers'], 'expand and contract'),
      breaking('requires-narrowed', 'tickets', 'Film.flyer', ['more/Flyers'], 'expand and contract'),
    ],
  },
  {
    name: 'a required field loses its argument',
    before: flyerFrom('poster(width: 300)'),
    operations: flyers,
    edits: [replace('tickets', '(fields: "poster(width: 300)")', '(fields: "poster")')],
    findings: [
      breaking('requires-widened', 'tickets', 'Film.flyer', ['more/Flyers'], 'expand and contract'),
      breaking('requires-narrowed', 'tickets', 'Film.flyer', ['more/Flyers'], 'expand and contract'),
    ],
  },
  {
    name: 'a required field gets another value of its argument',
    before: flyerFrom('poster(width: 300)'),
    operations: flyers,
    edits: [replace('tickets', 'poster(width: 300)', 'poster(width: 400)')],
    findings: [
      breaking('requires-widened', 'tickets', 'Film.flyer', ['more/Flyers'], 'expand and contract'),
      breaking('requires-narrowed', 'tickets', 'Film.flyer', ['more/Flyers'], 'expand and contract'),
    ],
  },
  {
    name: 'a default value is written out in a @requires',
    before: flyerFrom('poster'),
    operations: flyers,
    edits: [replace('tickets', '(fields: "poster")', '(fields: "poster(width: 200)")')],
    findings: [
      safe('requires-widened', 'tickets', 'Film.flyer'),
      safe('requires-narrowed', 'tickets', 'Film.flyer'),
    ],
  },
  {
    name: 'the default value of an argument of a required field changes',
    before: flyerFrom('poster'),
    operations: flyers,
    edits: [
      replace('films', 'poster(width: Int = 200', 'poster(width: Int = 500'),
      replace('tickets', 'poster(width: Int = 200', 'poster(width: Int = 500'),
    ],
    findings: ['films', 'tickets'].map((subgraph) =>
      breaking(
        'argument-default-changed',
        subgraph,
        'Film.poster(width:)',
        ['more/Flyers', 'web/FilmPage'],
        'expand and contract',
      ),
    ),
  },
  {
    name: 'the default value of an argument changes that a @requires writes out',
    before: flyerFrom('poster(width: 200)'),
    operations: flyers,
    edits: [
      replace('films', 'poster(width: Int = 200', 'poster(width: Int = 500'),
      replace('tickets', 'poster(width: Int = 200', 'poster(width: Int = 500'),
    ],
    findings: ['films', 'tickets'].map((subgraph) =>
      dangerous('argument-default-changed', subgraph, 'Film.poster(width:)', ['web/FilmPage']),
    ),
  },
  ...['poster', 'poster(width: 200)'].map(
    (required): GoldenRow => ({
      name: `an argument takes a list instead of a single value: ${required}`,
      before: flyerFrom(required),
      operations: flyers,
      edits: [
        replace('films', 'poster(width: Int = 200', 'poster(width: [Int!] = [200]'),
        replace('tickets', 'poster(width: Int = 200', 'poster(width: [Int!] = [200]'),
      ],
      findings: ['films', 'tickets'].map((subgraph) =>
        dangerous('argument-type-changed', subgraph, 'Film.poster(width:)'),
      ),
    }),
  ),
  {
    name: 'an argument from a context reads another field',
    before: [shelves],
    operations: 'query Shelf { shelf { book { fits } } }',
    edits: [replace('shelves', '$shelf { height }', '$shelf { width }')],
    findings: [
      breaking(
        'from-context-changed',
        'shelves',
        'Volume.fits(space:)',
        ['more/Shelf'],
        'expand and contract',
      ),
    ],
  },
  {
    name: 'a context gets another name',
    before: [shelves],
    operations: 'query Shelf { shelf { book { fits } } }',
    edits: [
      replace('shelves', '$shelf { height }', '$place {height}'),
      replace('shelves', '@context(name: "shelf")', '@context(name: "place")'),
    ],
    findings: [
      safe('context-added', 'shelves', 'Shelf'),
      safe('context-removed', 'shelves', 'Shelf'),
      safe('from-context-changed', 'shelves', 'Volume.fits(space:)'),
    ],
  },
  {
    name: 'an argument from a context names the type that has the context',
    before: [shelves],
    operations: 'query Shelf { shelf { book { fits } } }',
    edits: [replace('shelves', '$shelf { height }', '$shelf ... on Shelf { height }')],
    findings: [safe('from-context-changed', 'shelves', 'Volume.fits(space:)')],
  },
  // interfaces
  {
    name: 'a field of an object type becomes non-null that operations select through its interface',
    before: [
      replace('films', 'interface Titled {\n', 'interface Titled {\n  subtitle: String\n'),
      replace('films', '  minutes: Int!\n', '  minutes: Int!\n  subtitle: String\n'),
      replace('films', '  episodes: Int!\n', '  episodes: Int!\n  subtitle: String\n'),
    ],
    operations: 'query Subtitles { featured { subtitle } }',
    edits: [
      replace('films', '  minutes: Int!\n  subtitle: String\n', '  minutes: Int!\n  subtitle: String!\n'),
    ],
    findings: [safe('field-type-changed', 'films', 'Film.subtitle', ['more/Subtitles'], 'subgraph first')],
  },
  {
    name: 'a type leaves an interface that a fragment inside the type names',
    operations:
      'query Inline { films { ... on Titled { title } } } query Named { films { ...Head } } fragment Head on Titled { title }',
    edits: [replace('films', 'type Film implements Titled @key', 'type Film @key')],
    findings: [
      breaking(
        'interface-removed',
        'films',
        'Film',
        ['app/Featured', 'more/Inline', 'more/Named'],
        'expand and contract',
      ),
    ],
  },
  {
    name: 'a type leaves an interface, whose other types have none of a fragment on another interface',
    before: [
      append('films', 'interface Rated {\n  score: Float\n}\n'),
      replace('films', 'type Film implements Titled @key', 'type Film implements Titled & Rated @key'),
    ],
    operations: 'query Scores { featured { ... on Rated { score } } }',
    edits: [replace('films', 'type Film implements Titled & Rated', 'type Film implements Rated')],
    findings: [
      breaking('interface-removed', 'films', 'Film', ['app/Featured', 'more/Scores'], 'expand and contract'),
    ],
  },
  {
    name: 'a type leaves a union that operations select from with a named fragment',
    operations: 'query Hits { search(text: "a") { ...Hit } } fragment Hit on Person { name }',
    edits: [replace('films', 'Film | Series | Person', 'Film | Series')],
    findings: [
      breaking(
        'union-member-removed',
        'films',
        'SearchHit',
        ['more/Hits', 'web/Search'],
        'expand and contract',
      ),
    ],
  },
  {
    name: 'a type joins an interface that another subgraph refers to with an interface object',
    before: media,
    operations: 'query Best { best { __typename name rating } }',
    edits: [
      append('media', 'type Disc implements Media @key(fields: "id") {\n  id: ID!\n  name: String\n}\n'),
    ],
    findings: [dangerous('type-added', 'media', 'Disc', ['more/Best'], 'gateway first')],
  },
  {
    name: 'a type leaves an interface that another subgraph refers to with an interface object',
    before: [
      ...media,
      append('media', 'type Disc implements Media @key(fields: "id") {\n  id: ID!\n  name: String\n}\n'),
    ],
    operations: 'query Best { best { __typename name rating } }',
    edits: [replace('media', 'type Disc implements Media @key', 'type Disc @key')],
    findings: [dangerous('interface-removed', 'media', 'Disc', ['more/Best'], 'subgraph first')],
  },
  {
    name: 'a field of an interface object is removed that operations select from an implementing type',
    before: media,
    operations: 'query Book { book { rating } } query Media { media { rating } }',
    edits: [replace('ratings', '  rating: Float\n', '')],
    findings: [
      breaking(
        'field-removed',
        'ratings',
        'Media.rating',
        ['more/Book', 'more/Media'],
        'expand and contract',
      ),
    ],
  },
  {
    name: 'a field of an interface becomes nullable that stays non-null in its types',
    before: media,
    operations: 'query Media { media { id } }',
    edits: [
      replace(
        'media',
        'interface Media @key(fields: "id") {\n  id: ID!',
        'interface Media @key(fields: "id") {\n  id: ID',
      ),
    ],
    findings: [
      dangerous('field-type-changed', 'media', 'Media.id', ['more/Media']),
      dangerous('composition-hint', 'media', 'Media.id'),
    ],
  },
  {
    name: 'a type leaves an interface from whose interface object operations select a field',
    before: media,
    operations: 'query Book { book { rating } }',
    edits: [replace('media', 'type Book implements Media @key', 'type Book @key')],
    findings: [breaking('interface-removed', 'media', 'Book', ['more/Book'], 'expand and contract')],
  },
  // inputs of clients, and names that no operation contains
  {
    name: 'an argument takes no nulls any more in one of two subgraphs that serve the field',
    before: [
      replace('films', 'dpi: Int): String\n', 'dpi: Int): String @shareable\n'),
      postersServing('poster(width: Int = 200, height: Int, dpi: Int): String @shareable'),
    ],
    operations:
      'query Shown($width: Int) { film(id: 1) { poster(width: $width) } } query Printed($width: Int) { printed { poster(width: $width) } }',
    edits: [replace('posters', 'width: Int = 200', 'width: Int! = 200')],
    // The subgraph of films accepts null, and serves the poster of a film.
    findings: [
      breaking(
        'argument-type-changed',
        'posters',
        'Film.poster(width:)',
        ['more/Printed'],
        'expand and contract',
      ),
      dangerous('composition-hint', 'films', 'Film.poster(width:)'),
    ],
  },
  {
    name: 'a field becomes nullable in one of two subgraphs that serve it',
    before: [
      replace('films', '  minutes: Int!\n', '  minutes: Int! @shareable\n'),
      postersServing('minutes: Int! @shareable'),
    ],
    operations: 'query Shown { film(id: 1) { minutes } } query Printed { printed { minutes } }',
    edits: [replace('posters', 'minutes: Int!', 'minutes: Int')],
    // The minutes of a film come from the subgraph of films, where they stay non-null.
    findings: [
      breaking('field-type-changed', 'posters', 'Film.minutes', ['more/Printed'], 'expand and contract'),
      dangerous('composition-hint', 'films', 'Film.minutes'),
    ],
  },
  {
    name: 'an Int inside a variable becomes a Float',
    edits: [replace('reviews', '  stars: Int! = 3\n', '  stars: Float! = 3\n')],
    findings: [dangerous('input-field-type-changed', 'reviews', 'ReviewInput.stars', ['web/AddReview'])],
  },
  {
    name: 'a String inside a variable becomes a list of Strings',
    edits: [
      replace('reviews', '  text: String\n  kind: ReviewKind\n}', '  text: [String!]\n  kind: ReviewKind\n}'),
    ],
    findings: [dangerous('input-field-type-changed', 'reviews', 'ReviewInput.text', ['web/AddReview'])],
  },
  {
    name: 'a String inside a variable becomes an ID',
    edits: [replace('reviews', '  text: String\n  kind: ReviewKind\n}', '  text: ID\n  kind: ReviewKind\n}')],
    findings: [dangerous('input-field-type-changed', 'reviews', 'ReviewInput.text', ['web/AddReview'])],
  },
  {
    name: 'an argument that a variable passes becomes a Float instead of an Int',
    edits: [
      replace(
        'reviews',
        'reviews(first: Int = 2, kind: ReviewKind)',
        'reviews(first: Float = 2, kind: ReviewKind)',
      ),
    ],
    findings: [
      breaking(
        'argument-type-changed',
        'reviews',
        'Film.reviews(first:)',
        ['web/FilmPage'],
        'expand and contract',
      ),
    ],
  },
  {
    name: 'an enum inside a variable gets another name and loses a value',
    edits: [
      replace('tickets', '  day: Day\n}', '  day: When\n}'),
      replace('tickets', 'shows(day: Day)', 'shows(day: When)'),
      replace('tickets', 'enum Day {\n  TODAY\n  TOMORROW', 'enum When {\n  TODAY'),
    ],
    findings: [
      breaking('type-removed', 'tickets', 'Day', ['app/Reserve'], 'expand and contract'),
      safe('type-added', 'tickets', 'When'),
      dangerous('argument-type-changed', 'tickets', 'Film.shows(day:)', ['app/Tonight']),
      dangerous('input-field-type-changed', 'tickets', 'ReserveInput.day', ['app/Reserve']),
    ],
  },
  {
    name: 'a scalar inside a variable becomes an enum',
    before: [replace('tickets', 'enum Day {\n  TODAY\n  TOMORROW\n}', 'scalar Day')],
    operations: 'query Shows($day: Day) { onSale { shows(day: $day) { id } } }',
    edits: [replace('tickets', 'scalar Day', 'enum Day {\n  TODAY\n  TOMORROW\n}')],
    findings: [
      breaking('type-kind-changed', 'tickets', 'Day', ['app/Reserve', 'more/Shows'], 'expand and contract'),
    ],
  },
  {
    name: 'a scalar that a variable passes becomes an input type',
    before: [
      replace('films', 'type Query {\n', 'scalar Search\n\ntype Query {\n  found(by: Search): [Film!]!\n'),
    ],
    operations: 'query Found($by: Search) { found(by: $by) { title } }',
    edits: [replace('films', 'scalar Search', 'input Search {\n  text: String\n}')],
    findings: [breaking('type-kind-changed', 'films', 'Search', ['more/Found'], 'expand and contract')],
  },
  {
    name: 'an object type gets another name',
    edits: [
      replace('tickets', '  hall: Hall!', '  hall: Room!'),
      replace('tickets', 'type Hall {', 'type Room {'),
    ],
    findings: [
      dangerous('type-removed', 'tickets', 'Hall', ['app/Tonight']),
      safe('type-added', 'tickets', 'Room'),
      dangerous('field-type-changed', 'tickets', 'Show.hall', ['app/Tonight']),
    ],
  },
  {
    name: 'a received enum becomes a scalar',
    edits: [replace('members', 'enum Level {\n  BASIC\n  GOLD\n}', 'scalar Level')],
    findings: [dangerous('type-kind-changed', 'members', 'Level', ['app/Me'], 'gateway first')],
  },
  {
    name: 'a received enum gets another name',
    edits: [
      replace('members', 'level: Level!', 'level: Rank!'),
      replace('members', 'enum Level', 'enum Rank'),
    ],
    findings: [
      dangerous('type-removed', 'members', 'Level', ['app/Me']),
      safe('type-added', 'members', 'Rank'),
      dangerous('field-type-changed', 'members', 'Member.level', ['app/Me']),
    ],
  },
  {
    name: 'a union gets another name',
    edits: [
      replace('films', 'search(text: String!): [SearchHit!]!', 'search(text: String!): [Hit!]!'),
      replace('films', 'union SearchHit', 'union Hit'),
    ],
    findings: [
      dangerous('type-removed', 'films', 'SearchHit', ['web/Search']),
      safe('type-added', 'films', 'Hit'),
      dangerous('field-type-changed', 'films', 'Query.search', ['web/Search']),
    ],
  },
];
