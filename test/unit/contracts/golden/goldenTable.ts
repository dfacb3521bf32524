import { add, append, type Edit, remove, replace } from './changeContracts.ts';
import { breaking, dangerous, type GoldenRow, safe } from './goldenRow.ts';

function link(...imports: readonly string[]): string {
  return `extend schema @link(url: "https://specs.apollo.dev/federation/v2.9", import: ${JSON.stringify(imports)})\n\n`;
}

/** Protects three fields that no operation uses. */
function protectUnusedFields(scopes: string): readonly Edit[] {
  return [
    replace(
      'films',
      '"@inaccessible", ',
      '"@inaccessible", "@authenticated", "@policy", "@requiresScopes", ',
    ),
    replace('films', '  seasons: Int\n', '  seasons: Int @authenticated\n'),
    replace('films', '  born: Date\n', '  born: Date @policy(policies: [["birthdays"]])\n'),
    replace('films', '  studios: [String!]!\n', `  studios: [String!]! ${scopes}\n`),
  ];
}

/** Single changes of every kind, with all findings of a check. `golden.test.ts` verifies by execution what
 *  the findings say about operations and rollout orders. */
export const goldenTable: readonly GoldenRow[] = [
  // fields
  {
    name: 'a field that operations select is removed',
    edits: [replace('films', '  tagline: String\n', '')],
    findings: [breaking('field-removed', 'films', 'Film.tagline', ['web/FilmPage'], 'expand and contract')],
  },
  {
    name: 'a field that no operation selects is removed',
    edits: [replace('films', '  seasons: Int\n', '')],
    findings: [
      dangerous('field-removed', 'films', 'Series.seasons'),
      breaking('gateway-config-outdated', undefined, 'Series.seasons'),
    ],
  },
  {
    name: 'a field is added',
    edits: [replace('films', '  seasons: Int\n', '  seasons: Int\n  firstAired: Date\n')],
    findings: [safe('field-added', 'films', 'Series.firstAired')],
  },
  {
    name: 'a selected field becomes nullable',
    edits: [replace('films', '  name: String!\n  born', '  name: String\n  born')],
    findings: [
      breaking(
        'field-type-changed',
        'films',
        'Person.name',
        ['web/FilmPage', 'web/Search'],
        'expand and contract',
      ),
    ],
  },
  {
    name: 'an unselected field becomes nullable',
    edits: [
      replace(
        'reviews',
        '  reviewCount: Int!\n}\n\ntype Review @key',
        '  reviewCount: Int\n}\n\ntype Review @key',
      ),
    ],
    findings: [dangerous('field-type-changed', 'reviews', 'Film.reviewCount')],
  },
  {
    name: 'a selected field becomes non-null',
    edits: [replace('films', 'tagline: String', 'tagline: String!')],
    findings: [safe('field-type-changed', 'films', 'Film.tagline', ['web/FilmPage'], 'subgraph first')],
  },
  {
    name: 'a selected list may hold nulls',
    edits: [replace('tickets', 'shows(day: Day): [Show!]!', 'shows(day: Day): [Show]!')],
    findings: [
      breaking('field-type-changed', 'tickets', 'Film.shows', ['app/Tonight'], 'expand and contract'),
    ],
  },
  {
    name: 'a selected Int becomes a Float',
    edits: [replace('films', 'episodes: Int!', 'episodes: Float!')],
    findings: [
      breaking('field-type-changed', 'films', 'Series.episodes', ['app/Featured'], 'expand and contract'),
    ],
  },
  {
    name: 'a selected Float becomes an Int',
    edits: [replace('films', 'score: Float', 'score: Int')],
    findings: [dangerous('field-type-changed', 'films', 'Film.score', ['web/FilmList'], 'subgraph first')],
  },
  {
    name: 'a selected interface becomes a type that every fragment applies to',
    edits: [replace('films', 'featured(genre: Genre): [Titled!]!', 'featured(genre: Genre): [Series!]!')],
    findings: [
      dangerous('field-type-changed', 'films', 'Query.featured', ['app/Featured'], 'subgraph first'),
    ],
  },
  {
    name: 'a selected interface becomes a type that a fragment excludes',
    edits: [replace('films', 'featured(genre: Genre): [Titled!]!', 'featured(genre: Genre): [Film!]!')],
    findings: [
      breaking('field-type-changed', 'films', 'Query.featured', ['app/Featured'], 'expand and contract'),
    ],
  },
  {
    name: 'a selected scalar becomes a list',
    edits: [replace('films', 'tagline: String', 'tagline: [String!]')],
    findings: [
      breaking('field-type-changed', 'films', 'Film.tagline', ['web/FilmPage'], 'expand and contract'),
    ],
  },
  {
    name: 'an ID becomes a String',
    edits: [replace('tickets', 'type Reservation {\n  id: ID!', 'type Reservation {\n  id: String!')],
    findings: [dangerous('field-type-changed', 'tickets', 'Reservation.id', ['app/Reserve'])],
  },
  {
    name: 'a selected field is deprecated',
    edits: [replace('films', 'score: Float', 'score: Float @deprecated(reason: "Nobody rates.")')],
    findings: [safe('deprecation-added', 'films', 'Film.score')],
  },
  {
    name: 'descriptions change',
    edits: [replace('films', '"Whatever stands on a poster."', '"What a poster is made for."')],
    findings: [],
  },
  {
    name: 'a root field that is used is removed',
    edits: [replace('films', '  search(text: String!): [SearchHit!]!\n', '')],
    findings: [breaking('field-removed', 'films', 'Query.search', ['web/Search'], 'expand and contract')],
  },
  {
    name: 'a root field that no operation uses is removed',
    edits: [replace('films', '  studios: [String!]!\n', '')],
    findings: [dangerous('field-removed', 'films', 'Query.studios')],
  },
  {
    name: 'a root operation type goes',
    edits: [replace('reviews', 'type Subscription {\n  reviewAdded(film: ID): Review!\n}\n\n', '')],
    findings: [
      breaking(
        'subscription-type-changed',
        'reviews',
        'Subscription',
        ['web/ReviewAdded'],
        'expand and contract',
      ),
    ],
  },
  // arguments
  {
    name: 'an optional argument is added',
    edits: [replace('films', 'film(id: ID!): Film', 'film(id: ID!, language: String): Film')],
    findings: [safe('argument-added', 'films', 'Query.film(language:)')],
  },
  {
    name: 'a required argument is added to a used field',
    edits: [replace('films', 'film(id: ID!): Film', 'film(id: ID!, language: String!): Film')],
    findings: [
      breaking('argument-added', 'films', 'Query.film(language:)', ['web/FilmPage'], 'expand and contract'),
    ],
  },
  {
    name: 'a required argument is added to an unused field',
    edits: [replace('films', 'studios: [String!]!', 'studios(country: String!): [String!]!')],
    findings: [dangerous('argument-added', 'films', 'Query.studios(country:)')],
  },
  {
    name: 'an argument that is passed is removed',
    edits: [replace('films', 'height: Int, dpi: Int', 'dpi: Int')],
    findings: [
      breaking('argument-removed', 'films', 'Film.poster(height:)', ['web/FilmPage'], 'expand and contract'),
    ],
  },
  {
    name: 'an argument that no operation passes is removed',
    edits: [replace('films', 'height: Int, dpi: Int', 'height: Int')],
    findings: [dangerous('argument-removed', 'films', 'Film.poster(dpi:)')],
  },
  {
    name: 'an argument becomes non-null',
    edits: [
      replace(
        'reviews',
        'reviews(first: Int = 2, kind: ReviewKind)',
        'reviews(first: Int!, kind: ReviewKind)',
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
    name: 'an argument with a default becomes non-null, and keeps it',
    edits: [
      replace(
        'reviews',
        'reviews(first: Int = 2, kind: ReviewKind)',
        'reviews(first: Int! = 2, kind: ReviewKind)',
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
    name: 'an argument becomes nullable',
    edits: [replace('films', 'film(id: ID!): Film', 'film(id: ID): Film')],
    findings: [safe('argument-type-changed', 'films', 'Query.film(id:)')],
  },
  {
    name: "an argument's type changes",
    edits: [replace('films', 'film(id: ID!): Film', 'film(id: Int!): Film')],
    findings: [
      breaking('argument-type-changed', 'films', 'Query.film(id:)', ['web/FilmPage'], 'expand and contract'),
    ],
  },
  {
    name: 'the default of an omitted argument changes',
    edits: [replace('films', 'poster(width: Int = 200', 'poster(width: Int = 500')],
    findings: [dangerous('argument-default-changed', 'films', 'Film.poster(width:)', ['web/FilmPage'])],
  },
  {
    name: 'the default of an argument that is passed changes',
    edits: [replace('reviews', 'latestReviews(first: Int = 2', 'latestReviews(first: Int = 4')],
    findings: [safe('argument-default-changed', 'reviews', 'Query.latestReviews(first:)')],
  },
  // inputs
  {
    name: 'an optional input field is added',
    edits: [
      replace('reviews', 'input ReviewInput {\n', 'input ReviewInput {\n  isAnonymous: Boolean = false\n'),
    ],
    findings: [safe('input-field-added', 'reviews', 'ReviewInput.isAnonymous')],
  },
  {
    name: 'a required input field is added, where clients send the object in a variable',
    edits: [replace('reviews', 'input ReviewInput {\n', 'input ReviewInput {\n  seat: String!\n')],
    findings: [
      breaking('input-field-added', 'reviews', 'ReviewInput.seat', ['web/AddReview'], 'expand and contract'),
    ],
  },
  {
    name: 'a required input field is added, where clients write the object out',
    edits: [replace('films', 'input FilmFilter {\n', 'input FilmFilter {\n  country: String!\n')],
    findings: [
      breaking(
        'input-field-added',
        'films',
        'FilmFilter.country',
        ['kiosk/Dramas', 'web/FilmList'],
        'expand and contract',
      ),
    ],
  },
  {
    name: 'an input field is removed',
    edits: [replace('tickets', '  seats: Int! = 1\n  day: Day\n', '  seats: Int! = 1\n')],
    findings: [
      breaking('input-field-removed', 'tickets', 'ReserveInput.day', ['app/Reserve'], 'expand and contract'),
    ],
  },
  {
    name: 'an input field becomes non-null',
    edits: [
      replace('reviews', '  text: String\n  kind: ReviewKind\n}', '  text: String!\n  kind: ReviewKind\n}'),
    ],
    findings: [
      breaking(
        'input-field-type-changed',
        'reviews',
        'ReviewInput.text',
        ['web/AddReview'],
        'expand and contract',
      ),
    ],
  },
  {
    name: 'an input field with a default becomes non-null, and a variable inside an object may be null',
    edits: [replace('films', 'from: Int = 1895', 'from: Int! = 1895')],
    findings: [
      breaking('input-field-type-changed', 'films', 'Years.from', ['web/Archive'], 'expand and contract'),
    ],
  },
  {
    name: 'an input field loses its default and becomes non-null',
    edits: [replace('films', 'from: Int = 1895', 'from: Int!')],
    findings: [
      breaking('input-field-type-changed', 'films', 'Years.from', ['web/Archive'], 'expand and contract'),
    ],
  },
  {
    name: 'a list takes no nulls any more, and a variable inside it may be null',
    edits: [replace('films', '  studios: [String]\n', '  studios: [String!]\n')],
    findings: [
      breaking(
        'input-field-type-changed',
        'films',
        'ArchiveFilter.studios',
        ['web/Archive'],
        'expand and contract',
      ),
    ],
  },
  {
    name: 'the default of an input field changes',
    edits: [replace('reviews', 'stars: Int! = 3', 'stars: Int! = 5')],
    findings: [dangerous('input-field-default-changed', 'reviews', 'ReviewInput.stars', ['web/AddReview'])],
  },
  {
    name: 'the default of an input field changes for which an operation passes an optional variable',
    edits: [replace('films', 'from: Int = 1895', 'from: Int = 1900')],
    findings: [dangerous('input-field-default-changed', 'films', 'Years.from', ['web/Archive'])],
  },
  {
    name: 'an input type becomes a @oneOf type, where clients write several fields out',
    edits: [replace('films', 'input ArchiveFilter {', 'input ArchiveFilter @oneOf {')],
    findings: [breaking('one-of-added', 'films', 'ArchiveFilter', ['web/Archive'], 'expand and contract')],
  },
  // enums
  {
    name: 'a value that is only sent by clients is removed',
    edits: [replace('films', '  RELEASED\n', '')],
    findings: [
      breaking(
        'enum-value-removed',
        'films',
        'FilmSort.RELEASED',
        ['kiosk/Dramas', 'web/FilmList'],
        'expand and contract',
      ),
    ],
  },
  {
    name: 'a value that a literal sends is removed',
    edits: [replace('films', '  DRAMA\n  COMEDY', '  COMEDY')],
    findings: [
      breaking(
        'enum-value-removed',
        'films',
        'Genre.DRAMA',
        ['kiosk/Dramas', 'web/FilmList', 'web/FilmPage'],
        'expand and contract',
      ),
    ],
  },
  {
    name: 'a value that is received only is removed',
    edits: [replace('members', '  BASIC\n  GOLD', '  BASIC')],
    findings: [dangerous('enum-value-removed', 'members', 'Level.GOLD', ['app/Me'], 'subgraph first')],
  },
  {
    name: 'a value that is sent only is added',
    edits: [replace('films', '  SCORE\n}', '  SCORE\n  LENGTH\n}')],
    findings: [safe('enum-value-added', 'films', 'FilmSort.LENGTH')],
  },
  {
    name: 'a value that is received is added',
    edits: [replace('members', '  BASIC\n  GOLD', '  BASIC\n  GOLD\n  PLATINUM')],
    findings: [dangerous('enum-value-added', 'members', 'Level.PLATINUM', ['app/Me'], 'gateway first')],
  },
  {
    name: 'a value of a field that no operation selects is added',
    edits: [
      replace('films', '  DIGITAL\n  FILM_35', '  DIGITAL\n  FILM_35\n  FILM_70'),
      replace('tickets', '  DIGITAL\n  FILM_35', '  DIGITAL\n  FILM_35\n  FILM_70'),
    ],
    findings: [
      safe('enum-value-added', 'films', 'Format.FILM_70'),
      safe('enum-value-added', 'tickets', 'Format.FILM_70'),
    ],
  },
  {
    name: 'a value of an enum that is sent and received is added',
    edits: [replace('reviews', '  CRITIC\n  VISITOR', '  CRITIC\n  VISITOR\n  PRESS')],
    findings: [
      dangerous('enum-value-added', 'reviews', 'ReviewKind.PRESS', ['web/AddReview'], 'gateway first'),
    ],
  },
  // abstract types
  {
    name: 'a union gets a member',
    edits: [
      replace(
        'tickets',
        'union ReserveResult = Reservation | SoldOut',
        'union ReserveResult = Reservation | SoldOut | Waiting\n\ntype Waiting {\n  location: Int!\n}',
      ),
    ],
    findings: [
      safe('type-added', 'tickets', 'Waiting'),
      dangerous('union-member-added', 'tickets', 'ReserveResult', ['app/Reserve'], 'gateway first'),
    ],
  },
  {
    name: 'a union loses a member that has a fragment',
    edits: [replace('films', 'union SearchHit = Film | Series | Person', 'union SearchHit = Film | Series')],
    findings: [breaking('union-member-removed', 'films', 'SearchHit', ['web/Search'], 'expand and contract')],
  },
  {
    name: 'a union loses a member that no operation selects',
    edits: [replace('films', 'union SearchHit = Film | Series | Person', 'union SearchHit = Film | Person')],
    findings: [dangerous('union-member-removed', 'films', 'SearchHit', ['web/Search'], 'subgraph first')],
  },
  {
    name: 'a type leaves its interface',
    edits: [replace('films', 'type Series implements Titled @key', 'type Series @key')],
    findings: [breaking('interface-removed', 'films', 'Series', ['app/Featured'], 'expand and contract')],
  },
  {
    name: 'a type joins an interface',
    edits: [
      replace(
        'films',
        'type Person @key(fields: "id") @key(fields: "handle") {\n  id: ID!',
        'type Person implements Titled @key(fields: "id") @key(fields: "handle") {\n  id: ID!\n  title: String!',
      ),
    ],
    findings: [
      dangerous('interface-added', 'films', 'Person', ['app/Featured'], 'gateway first'),
      safe('field-added', 'films', 'Person.title'),
    ],
  },
  {
    name: 'an interface gets a field',
    edits: [
      replace(
        'films',
        'interface Titled {\n  title: String!',
        'interface Titled {\n  title: String!\n  slogan: String',
      ),
      replace('films', '  tagline: String\n', '  tagline: String\n  slogan: String\n'),
      replace('films', '  seasons: Int\n', '  seasons: Int\n  slogan: String\n'),
    ],
    findings: [
      safe('field-added', 'films', 'Titled.slogan'),
      safe('field-added', 'films', 'Film.slogan'),
      safe('field-added', 'films', 'Series.slogan'),
    ],
  },
  // types
  {
    name: 'a type that no field returns is added',
    edits: [append('films', 'type Studio @key(fields: "id") {\n  id: ID!\n}')],
    findings: [safe('type-added', 'films', 'Studio')],
  },
  {
    name: 'a value type goes from one of two subgraphs',
    edits: [
      replace('members', '  level: Level!\n  balance: Money!\n', '  level: Level!\n  balance: Int!\n'),
      replace('members', 'type Money @shareable {\n  amount: Int!\n  currency: Currency!\n}\n\n', ''),
      replace('members', '\nenum Currency {\n  EUR\n  USD\n}\n', ''),
    ],
    findings: [
      safe('type-removed', 'members', 'Money'),
      safe('type-removed', 'members', 'Currency'),
      breaking('field-type-changed', 'members', 'Member.balance', ['app/Me'], 'expand and contract'),
    ],
  },
  {
    name: 'a kind of type changes',
    edits: [replace('tickets', 'enum Day {\n  TODAY\n  TOMORROW\n}', 'scalar Day')],
    findings: [dangerous('type-kind-changed', 'tickets', 'Day', ['app/Reserve', 'app/Tonight'])],
  },
  {
    name: 'a scalar gets another name',
    edits: [
      replace('films', '  born: Date', '  born: Instant'),
      replace('films', 'scalar Date', 'scalar Date\n\nscalar Instant'),
    ],
    findings: [
      safe('type-added', 'films', 'Instant'),
      dangerous('field-type-changed', 'films', 'Person.born'),
    ],
  },
  // keys
  {
    name: 'a key that no plan uses is dropped',
    edits: [replace('films', '@key(fields: "id") @key(fields: "handle")', '@key(fields: "id")')],
    findings: [safe('key-removed', 'films', 'Person')],
  },
  {
    name: 'the only key that joins is dropped',
    edits: [
      replace(
        'films',
        'type Film implements Titled @key(fields: "id") @key(fields: "code")',
        'type Film implements Titled @key(fields: "id")',
      ),
    ],
    findings: [
      breaking('key-removed', 'films', 'Film', ['app/Tonight', 'kiosk/Show'], 'expand and contract'),
      breaking('composition-error', 'films', 'Film.code'),
    ],
  },
  {
    name: 'a key that is used stops being resolvable',
    edits: [
      replace(
        'films',
        '@key(fields: "id") @key(fields: "code")',
        '@key(fields: "id") @key(fields: "code", resolvable: false)',
      ),
    ],
    findings: [
      breaking('key-not-resolvable', 'films', 'Film', ['app/Tonight', 'kiosk/Show'], 'expand and contract'),
      breaking('composition-error', 'tickets', 'Film.seatPrice'),
    ],
  },
  {
    name: 'a key that no plan uses stops being resolvable',
    edits: [replace('films', '@key(fields: "handle")', '@key(fields: "handle", resolvable: false)')],
    findings: [safe('key-not-resolvable', 'films', 'Person')],
  },
  {
    name: 'keys are swapped',
    edits: [
      replace('films', '@key(fields: "id") @key(fields: "code")', '@key(fields: "code") @key(fields: "id")'),
    ],
    findings: [],
  },
  {
    name: 'a key is added',
    edits: [
      replace(
        'tickets',
        'type Show @key(fields: "id") {',
        'type Show @key(fields: "id") @key(fields: "startsAt") {',
      ),
    ],
    findings: [safe('key-added', 'tickets', 'Show')],
  },
  {
    name: 'a used key grows',
    edits: [replace('members', 'type Member @key(fields: "id") {', 'type Member @key(fields: "id name") {')],
    findings: [
      breaking(
        'key-removed',
        'members',
        'Member',
        ['web/FilmPage', 'web/ReviewAdded'],
        'expand and contract',
      ),
      safe('key-added', 'members', 'Member'),
      breaking('composition-error', 'members', 'Member.name'),
    ],
  },
  // requires, provides, external
  {
    name: 'a @requires is widened',
    edits: [
      replace(
        'tickets',
        '@requires(fields: "minutes released")',
        '@requires(fields: "minutes released format")',
      ),
    ],
    findings: [
      dangerous(
        'requires-widened',
        'tickets',
        'Film.seatPrice',
        ['app/Tonight', 'web/FilmList'],
        'gateway first',
      ),
    ],
  },
  {
    name: 'an unused @requires is widened',
    edits: [replace('tickets', '@requires(fields: "format")', '@requires(fields: "format minutes")')],
    findings: [safe('requires-widened', 'tickets', 'Film.projector')],
  },
  {
    name: 'a @requires is narrowed',
    edits: [
      replace('tickets', '@requires(fields: "minutes released")', '@requires(fields: "minutes")'),
      replace('tickets', '  released: Date! @external\n', ''),
      replace('tickets', 'scalar Date\n\n', ''),
    ],
    findings: [
      safe('type-removed', 'tickets', 'Date'),
      safe('external-field-removed', 'tickets', 'Film.released'),
      safe(
        'requires-narrowed',
        'tickets',
        'Film.seatPrice',
        ['app/Tonight', 'web/FilmList'],
        'subgraph first',
      ),
    ],
  },
  {
    name: 'an unused @requires and its @external are removed',
    edits: [
      replace('tickets', '@requires(fields: "format")', ''),
      replace('tickets', '  format: Format! @external\n', ''),
      replace('tickets', '\nenum Format {\n  DIGITAL\n  FILM_35\n}\n', ''),
    ],
    findings: [
      safe('type-removed', 'tickets', 'Format'),
      safe('external-field-removed', 'tickets', 'Film.format'),
      safe('requires-removed', 'tickets', 'Film.projector'),
    ],
  },
  {
    name: 'a used @requires and its @external are removed',
    edits: [
      replace('tickets', ' @requires(fields: "minutes released")', ''),
      replace('tickets', '  minutes: Int! @external\n', ''),
      replace('tickets', '  released: Date! @external\n', ''),
      replace('tickets', 'scalar Date\n\n', ''),
    ],
    findings: [
      safe('type-removed', 'tickets', 'Date'),
      safe('external-field-removed', 'tickets', 'Film.minutes'),
      safe('external-field-removed', 'tickets', 'Film.released'),
      safe(
        'requires-removed',
        'tickets',
        'Film.seatPrice',
        ['app/Tonight', 'web/FilmList'],
        'subgraph first',
      ),
    ],
  },
  {
    name: 'another field is required',
    edits: [
      replace('tickets', '@requires(fields: "minutes released")', '@requires(fields: "minutes format")'),
      replace('tickets', '  released: Date! @external\n', ''),
      replace('tickets', 'scalar Date\n\n', ''),
    ],
    findings: [
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
    name: 'a field begins to require',
    edits: [
      replace(
        'tickets',
        '  shows(day: Day): [Show!]!',
        '  shows(day: Day): [Show!]! @requires(fields: "format")',
      ),
    ],
    findings: [dangerous('requires-added', 'tickets', 'Film.shows', ['app/Tonight'], 'gateway first')],
  },
  {
    name: 'a required field is removed',
    edits: [
      replace('films', '  format: Format!\n', ''),
      replace('films', '\nenum Format {\n  DIGITAL\n  FILM_35\n}\n', ''),
    ],
    findings: [
      dangerous('type-removed', 'films', 'Format'),
      dangerous('field-removed', 'films', 'Film.format'),
      breaking('composition-error', 'tickets', 'Film.format'),
    ],
  },
  {
    name: 'a @provides goes',
    edits: [
      replace('reviews', 'film: Film! @provides(fields: "title")', 'film: Film!'),
      replace('reviews', '  title: String! @external\n', ''),
    ],
    findings: [
      safe('external-field-removed', 'reviews', 'Film.title'),
      dangerous(
        'provides-removed',
        'reviews',
        'Review.film',
        ['kiosk/LatestReviews', 'web/AddReview', 'web/ReviewAdded'],
        'gateway first',
      ),
      dangerous('plan-cost', undefined, 'kiosk/LatestReviews', ['kiosk/LatestReviews']),
      dangerous('plan-cost', undefined, 'web/AddReview', ['web/AddReview']),
      dangerous('plan-cost', undefined, 'web/ReviewAdded', ['web/ReviewAdded']),
    ],
  },
  {
    name: 'a @provides moves to another field',
    edits: [
      replace('reviews', 'film: Film! @provides(fields: "title")', 'film: Film!'),
      replace(
        'reviews',
        'latestReviews(first: Int = 2, kind: ReviewKind): [Review!]!',
        'latestReviews(first: Int = 2, kind: ReviewKind): [Review!]! @provides(fields: "film { title }")',
      ),
    ],
    findings: [
      safe('provides-added', 'reviews', 'Query.latestReviews'),
      dangerous(
        'provides-removed',
        'reviews',
        'Review.film',
        ['web/AddReview', 'web/ReviewAdded'],
        'gateway first',
      ),
      dangerous('plan-cost', undefined, 'web/AddReview', ['web/AddReview']),
      dangerous('plan-cost', undefined, 'web/ReviewAdded', ['web/ReviewAdded']),
    ],
  },
  {
    name: 'a @provides is added',
    edits: [
      replace('tickets', '  film: Film!\n', '  film: Film! @provides(fields: "title")\n'),
      replace(
        'tickets',
        '  minutes: Int! @external\n',
        '  minutes: Int! @external\n  title: String! @external\n',
      ),
      replace('tickets', '"@requires", ', '"@requires", "@provides", '),
    ],
    findings: [
      safe('external-field-added', 'tickets', 'Film.title'),
      safe('provides-added', 'tickets', 'Show.film', ['kiosk/Show'], 'subgraph first'),
    ],
  },
  // shareable, inaccessible, override
  {
    name: 'a field becomes shareable',
    edits: [replace('films', '  score: Float\n', '  score: Float @shareable\n')],
    findings: [safe('shareable-added', 'films', 'Film.score')],
  },
  {
    name: 'a shared type stops being shareable',
    edits: [replace('members', 'type Money @shareable {', 'type Money {')],
    findings: [
      dangerous('shareable-removed', 'members', 'Money.amount'),
      dangerous('shareable-removed', 'members', 'Money.currency'),
      breaking('composition-error', 'members', 'Money.amount'),
      breaking('composition-error', 'members', 'Money.currency'),
    ],
  },
  {
    name: 'a used field becomes inaccessible',
    edits: [replace('films', '  tagline: String\n', '  tagline: String @inaccessible\n')],
    findings: [
      breaking('inaccessible-added', 'films', 'Film.tagline', ['web/FilmPage'], 'expand and contract'),
    ],
  },
  {
    name: 'an unused field becomes inaccessible',
    edits: [replace('films', '  seasons: Int\n', '  seasons: Int @inaccessible\n')],
    findings: [dangerous('inaccessible-added', 'films', 'Series.seasons')],
  },
  {
    name: 'an inaccessible field becomes accessible',
    edits: [replace('films', 'license: String @inaccessible', 'license: String')],
    findings: [safe('inaccessible-removed', 'films', 'Film.license')],
  },
  {
    name: 'a used field is overridden',
    edits: [
      replace(
        'reviews',
        '  reviewCount: Int!\n}\n\ntype Review @key',
        '  reviewCount: Int!\n  score: Float @override(from: "films")\n}\n\ntype Review @key',
      ),
    ],
    findings: [
      safe('field-added', 'reviews', 'Film.score', ['web/FilmList'], 'subgraph first'),
      safe('override-added', 'reviews', 'Film.score', ['web/FilmList'], 'subgraph first'),
      safe('composition-hint', 'films', 'Film.score'),
      dangerous('plan-cost', undefined, 'web/FilmList', ['web/FilmList']),
    ],
  },
  {
    name: 'a used field is overridden for a share of the requests',
    edits: [
      replace(
        'reviews',
        '  reviewCount: Int!\n}\n\ntype Review @key',
        '  reviewCount: Int!\n  score: Float @override(from: "films", label: "percent(5)")\n}\n\ntype Review @key',
      ),
    ],
    findings: [
      safe('field-added', 'reviews', 'Film.score', ['web/FilmList'], 'subgraph first'),
      safe('override-added', 'reviews', 'Film.score', ['web/FilmList'], 'subgraph first'),
      safe('composition-hint', 'films', 'Film.score'),
      dangerous('plan-cost', undefined, 'web/FilmList', ['web/FilmList']),
    ],
  },
  {
    name: 'an unused field is overridden',
    edits: [
      replace('tickets', '"@requires", ', '"@requires", "@override", '),
      replace(
        'tickets',
        '  projector: String',
        '  license: String @override(from: "films")\n  projector: String',
      ),
    ],
    findings: [
      safe('field-added', 'tickets', 'Film.license'),
      safe('override-added', 'tickets', 'Film.license'),
      safe('composition-hint', 'films', 'Film.license'),
    ],
  },
  {
    name: 'an overridden field is removed',
    edits: [replace('films', '  ageRating: String\n', '')],
    findings: [
      safe('field-removed', 'films', 'Film.ageRating'),
      safe('composition-hint', 'reviews', 'Film.ageRating'),
    ],
  },
  {
    name: 'an @override goes back',
    edits: [replace('reviews', '  ageRating: String @override(from: "films")\n', '')],
    findings: [dangerous('field-removed', 'reviews', 'Film.ageRating', ['web/FilmPage'], 'gateway first')],
  },
  {
    name: 'an @override gets a label',
    edits: [replace('reviews', '@override(from: "films")', '@override(from: "films", label: "percent(50)")')],
    findings: [
      safe('override-label-added', 'reviews', 'Film.ageRating'),
      safe('composition-hint', 'films', 'Film.ageRating'),
    ],
  },
  {
    name: 'an @override loses its label',
    before: [
      replace('reviews', '@override(from: "films")', '@override(from: "films", label: "percent(50)")'),
    ],
    edits: [replace('reviews', ', label: "percent(50)"', '')],
    findings: [
      safe('override-label-removed', 'reviews', 'Film.ageRating'),
      safe('composition-hint', 'films', 'Film.ageRating'),
    ],
  },
  {
    name: 'a field is removed that another subgraph overrides for a share of the requests',
    before: [
      replace('reviews', '@override(from: "films")', '@override(from: "films", label: "percent(50)")'),
    ],
    edits: [replace('films', '  ageRating: String\n', '')],
    findings: [
      dangerous('field-removed', 'films', 'Film.ageRating', ['web/FilmPage'], 'gateway first'),
      safe('composition-hint', 'reviews', 'Film.ageRating'),
    ],
  },
  {
    name: 'a field is removed that overrides another for a share of the requests',
    before: [
      replace('reviews', '@override(from: "films")', '@override(from: "films", label: "percent(50)")'),
    ],
    edits: [replace('reviews', '  ageRating: String @override(from: "films", label: "percent(50)")\n', '')],
    findings: [dangerous('field-removed', 'reviews', 'Film.ageRating', ['web/FilmPage'], 'gateway first')],
  },
  {
    name: 'an @override loses its from',
    edits: [replace('reviews', 'ageRating: String @override(from: "films")', 'ageRating: String')],
    findings: [
      dangerous('override-removed', 'reviews', 'Film.ageRating'),
      breaking('composition-error', 'films', 'Film.ageRating'),
    ],
  },
  // moves
  {
    name: 'a used field moves to another subgraph at once',
    edits: [
      replace('films', '  score: Float\n', ''),
      replace(
        'reviews',
        '  reviewCount: Int!\n}\n\ntype Review @key',
        '  reviewCount: Int!\n  score: Float\n}\n\ntype Review @key',
      ),
    ],
    findings: [
      dangerous('field-removed', 'films', 'Film.score', ['web/FilmList'], 'gateway first'),
      safe('field-added', 'reviews', 'Film.score', ['web/FilmList'], 'subgraph first'),
      dangerous('plan-cost', undefined, 'web/FilmList', ['web/FilmList']),
    ],
  },
  // authorization, cost, cache, enrichment
  {
    name: 'a used field needs scopes',
    edits: [
      replace('films', '"@inaccessible", "@cost"', '"@inaccessible", "@requiresScopes", "@cost"'),
      replace('films', '  score: Float\n', '  score: Float @requiresScopes(scopes: [["scores"]])\n'),
    ],
    findings: [dangerous('requires-scopes-added', 'films', 'Film.score', ['web/FilmList'])],
  },
  {
    name: 'an unused field needs a login',
    edits: [
      replace('films', '"@inaccessible", "@cost"', '"@inaccessible", "@authenticated", "@cost"'),
      replace('films', '  seasons: Int\n', '  seasons: Int @authenticated\n'),
    ],
    findings: [safe('authenticated-added', 'films', 'Series.seasons')],
  },
  {
    name: 'unused fields are no longer protected',
    before: protectUnusedFields('@requiresScopes(scopes: [["studios", "all"]])'),
    edits: [
      replace('films', '  seasons: Int @authenticated\n', '  seasons: Int\n'),
      replace('films', ' @policy(policies: [["birthdays"]])', ''),
      replace('films', ' @requiresScopes(scopes: [["studios", "all"]])', ''),
    ],
    findings: [
      dangerous('authenticated-removed', 'films', 'Series.seasons'),
      dangerous('policy-removed', 'films', 'Person.born'),
      dangerous('requires-scopes-removed', 'films', 'Query.studios'),
    ],
  },
  {
    name: 'an unused field needs fewer scopes',
    before: protectUnusedFields('@requiresScopes(scopes: [["studios", "all"]])'),
    edits: [replace('films', '[["studios", "all"]]', '[["studios"]]')],
    findings: [dangerous('requires-scopes-changed', 'films', 'Query.studios')],
  },
  {
    name: 'an unused field needs more scopes',
    before: protectUnusedFields('@requiresScopes(scopes: [["studios"]])'),
    edits: [replace('films', '[["studios"]]', '[["studios", "all"]]')],
    findings: [safe('requires-scopes-changed', 'films', 'Query.studios')],
  },
  {
    name: 'a used field costs more',
    edits: [replace('films', '@cost(weight: 2)', '@cost(weight: 20)')],
    findings: [dangerous('cost-raised', 'films', 'Film.cast', ['web/Search'])],
  },
  {
    name: 'an unused field costs more',
    edits: [replace('films', '  seasons: Int\n', '  seasons: Int @cost(weight: 20)\n')],
    findings: [safe('cost-raised', 'films', 'Series.seasons')],
  },
  {
    name: 'a list is expected to be longer',
    edits: [
      replace(
        'films',
        '@listSize(slicingArguments: ["first"], requireOneSlicingArgument: false)',
        '@listSize(assumedSize: 500)',
      ),
    ],
    findings: [dangerous('list-size-changed', 'films', 'Query.films', ['kiosk/Dramas', 'web/FilmList'])],
  },
  {
    name: 'a private value becomes public',
    edits: [
      replace(
        'members',
        'email: String @cached(maxAge: "1m", scope: PRIVATE)',
        'email: String @cached(maxAge: "1m")',
      ),
    ],
    findings: [breaking('cached-made-public', 'members', 'Member.email', ['app/Me'])],
  },
  {
    name: 'a public value becomes private',
    edits: [
      replace(
        'tickets',
        '@cached(maxAge: "5s", staleIfError: "1m")',
        '@cached(maxAge: "5s", staleIfError: "1m", scope: PRIVATE)',
      ),
    ],
    findings: [safe('cached-made-private', 'tickets', 'Show.seats')],
  },
  {
    name: 'a value may be staler than its readers allow',
    edits: [
      replace(
        'tickets',
        '@cached(maxAge: "5s", staleIfError: "1m")',
        '@cached(maxAge: "5s", staleIfError: "10m")',
      ),
    ],
    findings: [
      dangerous('cached-stale-raised', 'tickets', 'Show.seats', ['app/Tonight', 'kiosk/Show']),
      breaking('staleness-slo', undefined, 'kiosk/Show', ['kiosk/Show']),
    ],
  },
  {
    name: 'a value is kept longer, within what its readers allow',
    edits: [
      replace(
        'tickets',
        '@cached(maxAge: "5s", staleIfError: "1m")',
        '@cached(maxAge: "10s", staleIfError: "90s")',
      ),
    ],
    findings: [
      dangerous('cached-max-age-raised', 'tickets', 'Show.seats', ['app/Tonight', 'kiosk/Show']),
      dangerous('cached-stale-raised', 'tickets', 'Show.seats', ['app/Tonight', 'kiosk/Show']),
    ],
  },
  {
    name: 'a field that its reader wants at once begins to come late',
    edits: [
      replace('films', 'import: ["@cached"]', 'import: ["@cached", "@enrichment"]'),
      replace(
        'films',
        '  @composeDirective(name: "@cached")\n',
        '  @composeDirective(name: "@cached")\n  @composeDirective(name: "@enrichment")\n',
      ),
      replace(
        'films',
        'scalar Date\n',
        'directive @enrichment(budget: String, priority: EnrichmentPriority = NORMAL) on FIELD_DEFINITION\n\nenum EnrichmentPriority {\n  CRITICAL\n  NORMAL\n  BACKGROUND\n}\n\nscalar Date\n',
      ),
      replace('films', '  tagline: String\n', '  tagline: String @enrichment\n'),
    ],
    findings: [
      safe('compose-directive-added', 'films', 'schema'),
      dangerous('enrichment-added', 'films', 'Film.tagline', ['web/FilmPage']),
      breaking('enrichment-contract', 'films', 'Film.tagline', ['web/FilmPage']),
    ],
  },
  {
    name: 'a field begins to come late, and nothing around it can be null',
    edits: [
      replace('tickets', 'import: ["@cached"]', 'import: ["@cached", "@enrichment"]'),
      replace(
        'tickets',
        '  @composeDirective(name: "@cached")\n',
        '  @composeDirective(name: "@cached")\n  @composeDirective(name: "@enrichment")\n',
      ),
      replace(
        'tickets',
        'scalar Date\n',
        'directive @enrichment(budget: String, priority: EnrichmentPriority = NORMAL) on FIELD_DEFINITION\n\nenum EnrichmentPriority {\n  CRITICAL\n  NORMAL\n  BACKGROUND\n}\n\nscalar Date\n',
      ),
      replace('tickets', '  shows(day: Day): [Show!]!\n', '  shows(day: Day): [Show!]! @enrichment\n'),
    ],
    findings: [
      safe('compose-directive-added', 'tickets', 'schema'),
      dangerous('enrichment-added', 'tickets', 'Film.shows', ['app/Tonight']),
      breaking('enrichment-contract', 'tickets', 'Film.shows', ['app/Tonight']),
    ],
  },
  {
    name: 'a required field comes late',
    edits: [
      replace('members', '  watchers: Int\n', '  watchers: Int @enrichment\n'),
      replace('tickets', '@requires(fields: "format")', '@requires(fields: "format watchers")'),
      replace(
        'tickets',
        '  minutes: Int! @external\n',
        '  minutes: Int! @external\n  watchers: Int @external\n',
      ),
    ],
    findings: [
      safe('enrichment-added', 'members', 'Film.watchers'),
      safe('external-field-added', 'tickets', 'Film.watchers'),
      safe('requires-widened', 'tickets', 'Film.projector'),
      breaking('enrichment-contract', 'members', 'Film.watchers'),
    ],
  },
  {
    name: 'an answer takes more steps than allowed',
    edits: [
      add(
        'archive',
        `${link('@key')}type Film @key(fields: "id") @key(fields: "reel") {\n  id: ID!\n  reel: ID!\n}\n`,
      ),
      add(
        'vault',
        `${link('@key', '@override')}type Film @key(fields: "reel") {\n  reel: ID!\n  minutes: Int! @override(from: "films")\n}\n`,
      ),
    ],
    findings: [
      safe(
        'subgraph-added',
        'archive',
        undefined,
        ['app/Tonight', 'kiosk/Show', 'web/FilmList'],
        'subgraph first',
      ),
      safe(
        'subgraph-added',
        'vault',
        undefined,
        ['app/Tonight', 'kiosk/Show', 'web/FilmList'],
        'subgraph first',
      ),
      safe('composition-hint', 'films', 'Film.minutes'),
      dangerous('plan-cost', undefined, 'app/Tonight', ['app/Tonight']),
      breaking('latency-slo', undefined, 'kiosk/Show', ['kiosk/Show']),
      breaking('plan-cost', undefined, 'kiosk/Show', ['kiosk/Show']),
      dangerous('plan-cost', undefined, 'web/FilmList', ['web/FilmList']),
    ],
  },
  {
    name: 'a selected list becomes nullable',
    edits: [replace('films', 'cast(first: Int): [Person!]!', 'cast(first: Int): [Person!]')],
    findings: [breaking('field-type-changed', 'films', 'Film.cast', ['web/Search'], 'expand and contract')],
  },
  {
    name: 'an entity that no fetch looks up becomes a value',
    edits: [replace('reviews', 'type Review @key(fields: "id") {', 'type Review {')],
    findings: [safe('key-removed', 'reviews', 'Review')],
  },
  {
    name: 'an interface loses a field',
    edits: [replace('films', 'interface Titled {\n  title: String!\n}', 'interface Titled {\n  id: ID!\n}')],
    findings: [
      breaking('field-removed', 'films', 'Titled.title', ['app/Featured'], 'expand and contract'),
      safe('field-added', 'films', 'Titled.id'),
    ],
  },
  {
    name: 'a link takes a newer version',
    edits: [replace('reviews', 'federation/v2.9', 'federation/v2.10')],
    findings: [safe('federation-version-changed', 'reviews', 'schema')],
  },
  {
    name: 'a directive is given another name',
    edits: [
      replace('reviews', '"@key", ', '{ name: "@key", as: "@entity" }, '),
      replace('reviews', 'type Film @key', 'type Film @entity'),
      replace('reviews', 'type Review @key', 'type Review @entity'),
      replace('reviews', 'type Member @key', 'type Member @entity'),
    ],
    findings: [],
  },
  {
    name: 'fields and values are in another order',
    edits: [
      replace(
        'members',
        '  me: Member\n  member(id: ID!): Member\n',
        '  member(id: ID!): Member\n  me: Member\n',
      ),
      replace('films', '  DIGITAL\n  FILM_35', '  FILM_35\n  DIGITAL'),
    ],
    findings: [],
  },
  {
    name: 'an enriched field becomes non-null',
    edits: [
      replace(
        'members',
        'recommended(first: Int = 2): [Film!] @enrichment',
        'recommended(first: Int = 2): [Film!]! @enrichment',
      ),
    ],
    findings: [safe('field-type-changed', 'members', 'Film.recommended', ['web/FilmPage'], 'subgraph first')],
  },
  {
    name: 'a field begins to come late',
    edits: [replace('members', '  watchers: Int\n', '  watchers: Int @enrichment\n')],
    findings: [safe('enrichment-added', 'members', 'Film.watchers')],
  },
  {
    name: 'a field stops coming late',
    edits: [
      replace(
        'members',
        'recommended(first: Int = 2): [Film!] @enrichment(budget: "50ms")',
        'recommended(first: Int = 2): [Film!]',
      ),
    ],
    findings: [
      dangerous('enrichment-removed', 'members', 'Film.recommended', ['web/FilmPage']),
      safe('slo-unmatched', undefined, 'web/FilmPage'),
    ],
  },
  {
    name: 'a budget changes',
    edits: [replace('members', '@enrichment(budget: "50ms")', '@enrichment(budget: "80ms")')],
    findings: [safe('enrichment-changed', 'members', 'Film.recommended')],
  },
  {
    name: 'a budget becomes larger than the latency that a reader relies on',
    edits: [replace('members', '@enrichment(budget: "50ms")', '@enrichment(budget: "201ms")')],
    findings: [
      safe('enrichment-changed', 'members', 'Film.recommended'),
      breaking('latency-slo', undefined, 'web/FilmPage', ['web/FilmPage']),
    ],
  },
  // subgraphs
  {
    name: 'a subgraph that is used is removed',
    edits: [remove('members')],
    findings: [
      dangerous('slo-unmatched', undefined, 'web/FilmPage'),
      breaking(
        'subgraph-removed',
        'members',
        undefined,
        ['app/Me', 'web/FilmPage', 'web/ReviewAdded'],
        'expand and contract',
      ),
    ],
  },
  {
    name: 'a subgraph with a field that no operation uses is removed',
    before: [
      add('posters', `${link('@key')}type Film @key(fields: "id") {\n  id: ID!\n  artist: String\n}\n`),
    ],
    edits: [remove('posters')],
    findings: [dangerous('subgraph-removed', 'posters', undefined)],
  },
  {
    // The first of two steps: the other subgraph adds the argument next.
    name: 'one of the subgraphs that serve a field adds an optional argument',
    before: [
      add(
        'posters',
        `${link('@key', '@shareable')}type Person @key(fields: "handle") {\n  handle: String!\n  born: Date @shareable\n}\n\nscalar Date\n`,
      ),
      replace('films', '  born: Date\n', '  born: Date @shareable\n'),
    ],
    edits: [replace('films', '  born: Date @shareable\n', '  born(calendar: String): Date @shareable\n')],
    findings: [
      safe('argument-added', 'films', 'Person.born(calendar:)'),
      safe('composition-hint', 'films', 'Person.born(calendar:)'),
    ],
  },
  ...[
    { arg: 'height: Int, ', hint: 'Film.poster(height:)', affects: ['web/FilmPage'] },
    { arg: ', dpi: Int', hint: 'Film.poster(dpi:)', affects: [] },
  ].map(
    ({ arg, hint, affects }): GoldenRow => ({
      name: `a subgraph starts to serve a field without an argument of it: ${hint}`,
      before: [
        replace(
          'films',
          '  poster(width: Int = 200, height: Int, dpi: Int): String\n',
          '  poster(width: Int = 200, height: Int, dpi: Int): String @shareable\n',
        ),
        add(
          'posters',
          `${link('@key', '@shareable')}type Film @key(fields: "id") {\n  id: ID!\n  artist: String\n}\n`,
        ),
      ],
      edits: [
        replace(
          'posters',
          '  artist: String\n',
          `  artist: String\n  poster(${'width: Int = 200, height: Int, dpi: Int'.replace(arg, '')}): String @shareable\n`,
        ),
      ],
      findings: [
        affects.length > 0
          ? breaking('field-added', 'posters', 'Film.poster', affects, 'expand and contract')
          : safe('field-added', 'posters', 'Film.poster'),
        dangerous('composition-hint', 'films', hint),
      ],
    }),
  ),
  {
    name: 'a subgraph is removed whose fields others serve',
    before: [
      add(
        'posters',
        `${link('@key', '@shareable')}type Person @key(fields: "handle") {\n  handle: String!\n  born: Date @shareable\n}\n\nscalar Date\n`,
      ),
      replace('films', '  born: Date\n', '  born: Date @shareable\n'),
    ],
    edits: [remove('posters')],
    findings: [safe('subgraph-removed', 'posters', undefined)],
  },
  {
    name: 'a subgraph is added',
    edits: [
      add(
        'posters',
        'extend schema @link(url: "https://specs.apollo.dev/federation/v2.9", import: ["@key"])\n\ntype Film @key(fields: "id") {\n  id: ID!\n  artist: String\n}\n',
      ),
    ],
    findings: [safe('subgraph-added', 'posters', undefined)],
  },
];
