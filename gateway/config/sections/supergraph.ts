import { z } from 'zod';
import { formatDuration } from '../duration.ts';
import { duration, flag, httpUrl, nonBlankText } from '../scalars.ts';

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
      file: nonBlankText('the path of a supergraph SDL file')
        .describe(
          'Supergraph SDL; a relative path starts at the configuration file. `--supergraph` overrides the section.',
        )
        .optional(),
      watch: flag()
        .describe(`With \`file\`: load it again when it changes. By default ${defaults.watch}.`)
        .optional(),
      subgraphs: z
        .array(
          z.strictObject({
            name: nonBlankText("the subgraph's name").describe('Name in the composed supergraph.'),
            url: httpUrl().describe(
              'Where the schema is asked for and, unless `subgraphs.<name>.url` says otherwise, operations go.',
            ),
          }),
        )
        .describe('Compose the supergraph from these running subgraphs.')
        .optional(),
      pollInterval: duration({ min: 100 })
        .describe(
          `With \`subgraphs\`: time between two looks at their schemas. By default ${formatDuration(defaults.pollInterval)}.`,
        )
        .optional(),
    },
    { error: () => 'either `file` or `subgraphs`' },
  )
  .transform((section): FileSource | ComposedSource =>
    section.file === undefined
      ? {
          subgraphs: section.subgraphs ?? [],
          pollInterval: section.pollInterval ?? defaults.pollInterval,
        }
      : { file: section.file, watch: section.watch ?? defaults.watch },
  )
  .describe(
    'Where the supergraph comes from: `file`, or `subgraphs` to compose it from. Exactly one of the two.',
  );
