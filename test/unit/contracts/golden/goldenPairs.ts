import { replace } from './changeContracts.ts';
import { breaking, dangerous, type ExpectedFinding, type GoldenRow, safe } from './goldenRow.ts';
import { goldenTable } from './goldenTable.ts';

/** Several changes at once that affect each other, or seem to. */
export const interactingChanges: readonly GoldenRow[] = [
  // the same part, or the same operation
  {
    name: 'a union gets a member in the place of another',
    edits: [
      replace(
        'films',
        'union SearchHit = Film | Series | Person',
        'union SearchHit = Film | Series | Studio\n\ntype Studio {\n  name: String!\n}',
      ),
    ],
    findings: [
      safe('type-added', 'films', 'Studio'),
      // Without its fragment on Person, the operation would fail in either order: one of the members is unknown.
      breaking('union-member-added', 'films', 'SearchHit', ['web/Search'], 'expand and contract'),
      breaking('union-member-removed', 'films', 'SearchHit', ['web/Search'], 'expand and contract'),
    ],
  },
  {
    name: 'a union loses a member that has a fragment and one that no operation selects',
    edits: [replace('films', 'union SearchHit = Film | Series | Person', 'union SearchHit = Film')],
    findings: [
      dangerous('union-member-removed', 'films', 'SearchHit', ['web/Search'], 'subgraph first'),
      breaking('union-member-removed', 'films', 'SearchHit', ['web/Search'], 'expand and contract'),
    ],
  },
  {
    name: 'a field is overridden and hidden',
    edits: [
      replace('reviews', '"@override"]', '"@override", "@inaccessible"]'),
      replace(
        'reviews',
        '  reviewCount: Int!\n}\n\ntype Review @key',
        '  reviewCount: Int!\n  score: Float @override(from: "films") @inaccessible\n}\n\ntype Review @key',
      ),
    ],
    findings: [
      safe('field-added', 'reviews', 'Film.score'),
      safe('override-added', 'reviews', 'Film.score'),
      breaking('inaccessible-added', 'reviews', 'Film.score', ['web/FilmList'], 'expand and contract'),
      safe('composition-hint', 'films', 'Film.score'),
    ],
  },
  {
    name: 'an input type is renamed',
    edits: [
      replace('films', 'filter: FilmFilter,', 'filter: FilmQuery,'),
      replace('films', 'input FilmFilter {', 'input FilmQuery {'),
    ],
    findings: [
      safe('type-added', 'films', 'FilmQuery'),
      breaking('type-removed', 'films', 'FilmFilter', ['web/FilmList'], 'expand and contract'),
      dangerous('argument-type-changed', 'films', 'Query.films(filter:)', ['kiosk/Dramas', 'web/FilmList']),
    ],
  },
  {
    name: 'an interface becomes a union',
    edits: [
      replace('films', 'interface Titled {\n  title: String!\n}', 'union Titled = Film | Series'),
      replace('films', 'type Film implements Titled @key', 'type Film @key'),
      replace('films', 'type Series implements Titled @key', 'type Series @key'),
    ],
    findings: [
      breaking('type-kind-changed', 'films', 'Titled', ['app/Featured'], 'expand and contract'),
      dangerous('interface-removed', 'films', 'Film', ['app/Featured']),
      dangerous('interface-removed', 'films', 'Series', ['app/Featured']),
    ],
  },
  {
    name: 'a @requires is widened and a field of the same operation is removed',
    edits: [
      replace(
        'tickets',
        '@requires(fields: "minutes released")',
        '@requires(fields: "minutes released format")',
      ),
      replace('films', '  score: Float\n', ''),
    ],
    findings: [
      breaking('field-removed', 'films', 'Film.score', ['web/FilmList'], 'expand and contract'),
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
    name: 'a required field is removed together with what required it',
    edits: [
      replace('films', '  format: Format!\n', ''),
      replace('films', '\nenum Format {\n  DIGITAL\n  FILM_35\n}\n', ''),
      replace('tickets', '  format: Format! @external\n', ''),
      replace('tickets', '  projector: String @requires(fields: "format")\n', ''),
      replace('tickets', '\nenum Format {\n  DIGITAL\n  FILM_35\n}\n', ''),
    ],
    findings: [
      dangerous('type-removed', 'films', 'Format'),
      dangerous('field-removed', 'films', 'Film.format'),
      dangerous('type-removed', 'tickets', 'Format'),
      safe('external-field-removed', 'tickets', 'Film.format'),
      dangerous('field-removed', 'tickets', 'Film.projector'),
    ],
  },
  {
    name: 'a key that no plan uses is replaced by another',
    edits: [replace('tickets', 'type Show @key(fields: "id") {', 'type Show @key(fields: "startsAt") {')],
    findings: [safe('key-removed', 'tickets', 'Show'), safe('key-added', 'tickets', 'Show')],
  },
  {
    name: 'an input enum value is replaced',
    edits: [replace('films', '  RELEASED\n', '  NEWEST\n')],
    findings: [
      breaking(
        'enum-value-removed',
        'films',
        'FilmSort.RELEASED',
        ['kiosk/Dramas', 'web/FilmList'],
        'expand and contract',
      ),
      safe('enum-value-added', 'films', 'FilmSort.NEWEST'),
    ],
  },
  {
    name: 'a field is overridden and a key that no plan uses is dropped',
    edits: [
      replace(
        'reviews',
        '  reviewCount: Int!\n}\n\ntype Review @key',
        '  reviewCount: Int!\n  score: Float @override(from: "films")\n}\n\ntype Review @key',
      ),
      replace('films', '@key(fields: "id") @key(fields: "handle")', '@key(fields: "id")'),
    ],
    findings: [
      safe('key-removed', 'films', 'Person'),
      safe('field-added', 'reviews', 'Film.score', ['web/FilmList'], 'subgraph first'),
      safe('override-added', 'reviews', 'Film.score', ['web/FilmList'], 'subgraph first'),
      safe('composition-hint', 'films', 'Film.score'),
      dangerous('plan-cost', undefined, 'web/FilmList', ['web/FilmList']),
    ],
  },
  {
    name: 'a default changes and a field is deprecated',
    edits: [
      replace('films', 'poster(width: Int = 200', 'poster(width: Int = 500'),
      replace('films', 'score: Float', 'score: Float @deprecated'),
    ],
    findings: [
      dangerous('argument-default-changed', 'films', 'Film.poster(width:)', ['web/FilmPage']),
      safe('deprecation-added', 'films', 'Film.score'),
    ],
  },
  {
    name: 'a private value becomes public and a field is hidden',
    edits: [
      replace(
        'members',
        'email: String @cached(maxAge: "1m", scope: PRIVATE)',
        'email: String @cached(maxAge: "1m")',
      ),
      replace('films', '  tagline: String\n', '  tagline: String @inaccessible\n'),
    ],
    findings: [
      breaking('inaccessible-added', 'films', 'Film.tagline', ['web/FilmPage'], 'expand and contract'),
      breaking('cached-made-public', 'members', 'Member.email', ['app/Me']),
    ],
  },
  {
    name: 'one used and one unused field are removed',
    edits: [replace('films', '  tagline: String\n', ''), replace('films', '  seasons: Int\n', '')],
    findings: [
      breaking('field-removed', 'films', 'Film.tagline', ['web/FilmPage'], 'expand and contract'),
      dangerous('field-removed', 'films', 'Series.seasons'),
      breaking('gateway-config-outdated', undefined, 'Series.seasons'),
    ],
  },
  {
    name: 'a @requires is widened and a field is overridden',
    edits: [
      replace(
        'tickets',
        '@requires(fields: "minutes released")',
        '@requires(fields: "minutes released format")',
      ),
      replace(
        'reviews',
        '  reviewCount: Int!\n}\n\ntype Review @key',
        '  reviewCount: Int!\n  score: Float @override(from: "films")\n}\n\ntype Review @key',
      ),
    ],
    findings: [
      safe('field-added', 'reviews', 'Film.score', ['web/FilmList'], 'subgraph first'),
      safe('override-added', 'reviews', 'Film.score', ['web/FilmList'], 'subgraph first'),
      dangerous(
        'requires-widened',
        'tickets',
        'Film.seatPrice',
        ['app/Tonight', 'web/FilmList'],
        'gateway first',
      ),
      safe('composition-hint', 'films', 'Film.score'),
      dangerous('plan-cost', undefined, 'web/FilmList', ['web/FilmList']),
    ],
  },
  {
    name: 'a field is renamed',
    edits: [replace('films', '  tagline: String\n', '  slogan: String\n')],
    findings: [
      breaking('field-removed', 'films', 'Film.tagline', ['web/FilmPage'], 'expand and contract'),
      safe('field-added', 'films', 'Film.slogan'),
    ],
  },
  {
    name: 'a used argument is renamed',
    edits: [replace('films', 'height: Int, dpi: Int', 'size: Int, dpi: Int')],
    findings: [
      breaking('argument-removed', 'films', 'Film.poster(height:)', ['web/FilmPage'], 'expand and contract'),
      safe('argument-added', 'films', 'Film.poster(size:)'),
    ],
  },
  {
    name: 'a removal in one subgraph and an addition in another',
    edits: [
      replace('films', '  seasons: Int\n', ''),
      replace('members', '  watchers: Int\n', '  watchers: Int\n  likes: Int\n'),
    ],
    findings: [
      dangerous('field-removed', 'films', 'Series.seasons'),
      breaking('gateway-config-outdated', undefined, 'Series.seasons'),
      safe('field-added', 'members', 'Film.likes'),
    ],
  },
];

const independentChanges: readonly (readonly [one: string, other: string])[] = [
  ['the only key that joins is dropped', 'a value that is received is added'],
  ['the only key that joins is dropped', 'descriptions change'],
  ['a key that is used stops being resolvable', 'a selected field is deprecated'],
  ['a used field needs scopes', 'a value that is received is added'],
  ['a used field needs scopes', 'a used field costs more'],
  [
    'a required input field is added, where clients write the object out',
    'the default of an input field changes',
  ],
  ['a root operation type goes', 'a field that operations select is removed'],
  [
    'a root operation type goes',
    'a required input field is added, where clients send the object in a variable',
  ],
  ['an argument becomes non-null', 'a field that operations select is removed'],
  ['a union gets a member', 'an input field is removed'],
  ['a union gets a member', 'an argument becomes non-null'],
  ['a value type goes from one of two subgraphs', 'a key that no plan uses is dropped'],
  ['a value type goes from one of two subgraphs', 'a value that is sent only is added'],
  ['a used field costs more', 'a list is expected to be longer'],
  ['an @override loses its from', 'a @requires is widened'],
  ['an @override loses its from', 'a value that is received is added'],
  ['a shared type stops being shareable', 'a @requires is widened'],
  ['a @requires is widened', 'a field that operations select is removed'],
  ['a @requires is widened', 'a value that is received is added'],
  ['a used @requires and its @external are removed', 'a used field becomes inaccessible'],
  ['keys are swapped', 'a @requires is narrowed'],
  ['keys are swapped', 'a field that operations select is removed'],
  ['keys are swapped', 'a used field costs more'],
  ['a used field is overridden', 'a used field becomes inaccessible'],
  [
    'an input field with a default becomes non-null, and a variable inside an object may be null',
    'a value that is sent only is added',
  ],
];

/** Pairs of rows of the table that are independent: together they have the findings of each. */
export const independentPairs: readonly GoldenRow[] = independentChanges.map(([one, other]) =>
  combineRows(one, other),
);

function combineRows(one: string, other: string): GoldenRow {
  const rows = [rowOf(one), rowOf(other)];
  return {
    name: `${one}; ${other}`,
    edits: rows.flatMap(({ edits }) => edits),
    findings: rows.flatMap(({ findings }): readonly ExpectedFinding[] => findings),
  };
}

function rowOf(name: string): GoldenRow {
  const row = goldenTable.find((candidate) => candidate.name === name);
  if (row === undefined) throw new Error(`No row of the table is called: ${name}`);
  return row;
}
