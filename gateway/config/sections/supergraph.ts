import { z } from 'zod';
import { formatDuration } from '../duration.ts';
import { duration, flag, httpUrl, nonBlankText } from '../scalars.ts';

const defaults = { watch: true, pollInterval: 10_000 };

/** A composed supergraph in a file. */
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
          'File with the supergraph SDL. A relative path starts at the directory of the configuration file. `--supergraph` overrides the section.',
        )
        .optional(),
      watch: flag()
        .describe(`With \`file\`: reloads the file when it changes. Default: ${defaults.watch}.`)
        .optional(),
      subgraphs: z
        .array(
          z.strictObject({
            name: nonBlankText("the subgraph's name").describe('Name in the composed supergraph.'),
            url: httpUrl().describe(
              'Address for fetching the schema and for operations. `subgraphs.<name>.url` overrides it for operations.',
            ),
          }),
        )
        .describe('Running subgraphs from which the gateway composes the supergraph.')
        .optional(),
      pollInterval: duration({ min: 100 })
        .describe(
          `With \`subgraphs\`: interval of polling their schemas. Default: ${formatDuration(defaults.pollInterval)}.`,
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
  .describe('The source of the supergraph: either `file`, or `subgraphs` to compose it from.');
