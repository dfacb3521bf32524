import { z } from 'zod';
import { duration, flag, httpUrl, nonEmptyText } from '../scalars.ts';

const watch = flag().describe('With `file`: load it again when it changes. Default true.');
const pollInterval = duration({ min: 100 }).describe(
  "With `subgraphs`: time between two looks at the subgraphs' schemas. Default 10s.",
);
const defaults = { watch: true, pollInterval: 10_000 };

/** A supergraph that was composed before and lies in a file. */
export interface FileSource {
  readonly file: string;
  readonly watch: boolean;
}

/** A supergraph that the gateway composes from running subgraphs. */
export interface ComposedSource {
  readonly subgraphs: readonly { readonly name: string; readonly url: string }[];
  /** Milliseconds. */
  readonly pollInterval: number;
}

export const supergraphSection = z
  .strictObject(
    {
      file: nonEmptyText('the path of a supergraph SDL file')
        .describe(
          'Supergraph SDL; a relative path starts at the configuration file. `--supergraph` overrides it.',
        )
        .optional(),
      watch: watch.optional(),
      subgraphs: z
        .array(
          z.strictObject({
            name: nonEmptyText("the subgraph's name").describe('Name in the composed supergraph.'),
            url: httpUrl().describe(
              'Where the schema is asked for and, unless `subgraphs.<name>.url` says otherwise, operations go.',
            ),
          }),
        )
        .min(1, { error: () => ({ message: 'is empty', expected: 'at least one subgraph' }) })
        .describe('Compose the supergraph from these running subgraphs.')
        .optional(),
      pollInterval: pollInterval.optional(),
    },
    { error: (issue) => missingSection(issue) },
  )
  .superRefine((section, context) => {
    const problem = (path: (string | number)[], message: string, expected: string) =>
      context.addIssue({ code: 'custom', path, message, params: { expected } });
    if ((section.file === undefined) === (section.subgraphs === undefined)) {
      problem(
        [],
        section.file === undefined ? 'names no source' : 'names two sources',
        'either `file` or `subgraphs`',
      );
      return;
    }
    if (section.file !== undefined && section.pollInterval !== undefined) {
      problem(['pollInterval'], 'does not go with `file`', '`watch`, or `subgraphs` instead of `file`');
    }
    if (section.subgraphs !== undefined && section.watch !== undefined) {
      problem(['watch'], 'does not go with `subgraphs`', '`pollInterval`, or `file` instead of `subgraphs`');
    }
    const seen = new Set<string>();
    section.subgraphs?.forEach(({ name }, index) => {
      if (seen.has(name)) problem(['subgraphs', index, 'name'], `names \`${name}\` again`, 'each name once');
      seen.add(name);
    });
  })
  .transform((section): FileSource | ComposedSource =>
    section.file === undefined
      ? { subgraphs: section.subgraphs ?? [], pollInterval: section.pollInterval ?? defaults.pollInterval }
      : { file: section.file, watch: section.watch ?? defaults.watch },
  )
  .describe(
    'Where the supergraph comes from: `file`, or `subgraphs` to compose it from. Exactly one of the two.',
  );

function missingSection(issue: { readonly code?: string; readonly input?: unknown }) {
  if (issue.code !== 'invalid_type' || issue.input !== undefined) return undefined;
  return { message: 'is missing', expected: 'either `file` or `subgraphs`' };
}
