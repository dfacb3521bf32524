import { z } from 'zod';
import { formatDuration } from '../duration.ts';
import { duration, flag, httpUrl, nonBlankText } from '../scalars.ts';
import { requestHeaders } from './requestHeaders.ts';

const defaults = { watch: true, pollInterval: 10_000 };

/** The options of the section of which exactly one is needed. */
export const sourceOptions = ['file', 'url', 'subgraphs', 'load'] as const;

export const sourcesText = '`file`, `url`, `subgraphs` or, in createGateway, `load`';

/** A composed supergraph in a file. */
export interface FileSource {
  readonly file: string;
  readonly watch: boolean;
}

/** A composed supergraph at a URL, such as that of a registry's CDN. */
export interface UrlSource {
  readonly url: string;
  readonly headers: Readonly<Record<string, string>>;
  /** Milliseconds. */
  readonly pollInterval: number;
}

/** A supergraph that the gateway composes from running subgraphs. */
export interface ComposedSource {
  readonly subgraphs: readonly {
    readonly name: string;
    readonly url: string;
    /** Headers for fetching the schema. */
    readonly headers?: Readonly<Record<string, string>> | undefined;
  }[];
  /** Milliseconds. */
  readonly pollInterval: number;
}

/** A supergraph that a function of a library user provides. */
export interface FunctionSource {
  readonly load: LoadSupergraph;
  /** Milliseconds. `undefined`: the function is called until it has provided one supergraph. */
  readonly pollInterval: number | undefined;
}

/** Provides the SDL of a supergraph. Returns `undefined` when it has not changed since `previous`. A thrown error is
 *  logged, the gateway keeps its supergraph, and the function is called again later. */
export type LoadSupergraph = (
  context: LoadSupergraphContext,
) => string | undefined | Promise<string | undefined>;

export interface LoadSupergraphContext {
  /** The last SDL of this function or `update`; `undefined` at first. */
  readonly previous: string | undefined;
  /** Aborted when the gateway closes, or the call takes longer than a minute. */
  readonly signal: AbortSignal;
  /** Submits an SDL at any time until the gateway closes, for sources that send updates. */
  readonly update: (sdl: string) => void;
}

const load = z.custom<LoadSupergraph>((value) => typeof value === 'function', {
  error: 'a function that returns the supergraph SDL (only in createGateway)',
});

export const supergraphSection = z
  .strictObject(
    {
      file: nonBlankText('the path of a supergraph SDL file')
        .describe(
          'File with the supergraph SDL. A relative path starts at the directory of the configuration file. `--supergraph` overrides the section.',
        )
        .optional(),
      watch: flag()
        .describe(
          `With \`file\`: reloads the file when it changes, and waits for one that is missing. With \`false\`, a file that cannot be used at the start ends the gateway. Default: ${defaults.watch}.`,
        )
        .optional(),
      url: httpUrl()
        .describe(
          'Address with the supergraph SDL, such as that of a registry. It is fetched with `If-None-Match` and `If-Modified-Since`. While it cannot be fetched, the last supergraph stays in use.',
        )
        .optional(),
      headers: requestHeaders
        .describe(
          'With `url`: request headers, such as the key of the registry. They are secrets: no log and no route shows them, and they are not sent to another host after a redirect.',
        )
        .optional(),
      subgraphs: z
        .array(
          z.strictObject({
            name: nonBlankText("the subgraph's name").describe('Name in the composed supergraph.'),
            url: httpUrl().describe(
              'Address for fetching the schema and for operations. `subgraphs.<name>.url` overrides it for operations.',
            ),
            headers: requestHeaders
              .describe('Request headers for fetching the schema, for protected subgraphs. They are secrets.')
              .optional(),
          }),
        )
        .describe('Running subgraphs from which the gateway composes the supergraph.')
        .optional(),
      load: load
        .meta({ title: 'function' })
        .describe(
          'In `createGateway` only: a function that provides the supergraph SDL. See [embedding.md](embedding.md#provide-the-supergraph).',
        )
        .optional(),
      pollInterval: duration({ min: 100 })
        .describe(
          `With \`url\` and \`subgraphs\`: interval of fetching. Default: ${formatDuration(defaults.pollInterval)}. With \`load\`: interval of calls. Default: not again after the first supergraph.`,
        )
        .optional(),
    },
    { error: () => `a section with ${sourcesText}` },
  )
  .transform(
    ({
      file,
      watch = defaults.watch,
      url,
      headers = {},
      subgraphs = [],
      load,
      pollInterval,
    }): FileSource | UrlSource | ComposedSource | FunctionSource => {
      if (file !== undefined) return { file, watch };
      if (load !== undefined) return { load, pollInterval };
      const interval = pollInterval ?? defaults.pollInterval;
      return url === undefined
        ? { subgraphs, pollInterval: interval }
        : { url, headers, pollInterval: interval };
    },
  )
  .describe('The source of the supergraph: `file`, `url`, or `subgraphs` to compose it from.');
