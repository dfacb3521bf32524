import type { ConfigProblem } from './configError.ts';
import { isSection, type Section } from './isSection.ts';
import { sourceOptions, sourcesText } from './sections/supergraph.ts';

/** The supergraph comes from exactly one source, with the options of that source. */
export function checkSupergraphSource({ supergraph }: Section): ConfigProblem[] {
  if (!isSection(supergraph)) return [];
  const [source, ...others] = sourceOptions.filter((key) => supergraph[key] !== undefined);
  if (source === undefined) {
    return [{ path: 'supergraph', message: 'has no source', expected: sourcesText }];
  }
  if (others.length > 0) {
    const given = [source, ...others].map((key) => `\`${key}\``).join(' and ');
    return [{ path: 'supergraph', message: `has ${given}`, expected: 'only one of them; remove the others' }];
  }
  const problems = Object.entries(optionsOfSources).flatMap(([key, sources]) =>
    supergraph[key] === undefined || sources.includes(source)
      ? []
      : [
          {
            path: `supergraph.${key}`,
            message: `cannot be combined with \`${source}\``,
            expected:
              alternativeOptions[`${source}.${key}`] ??
              `${key} with ${sources.map((name) => `\`${name}\``).join(' or ')}`,
          },
        ],
  );
  if (Array.isArray(supergraph.subgraphs) && supergraph.subgraphs.length === 0) {
    problems.push({
      path: 'supergraph.subgraphs',
      message: 'is empty',
      expected: 'at least one subgraph with `name` and `url`',
    });
  }
  return problems;
}

/** The sources with which an option has a meaning. */
const optionsOfSources: Readonly<Record<string, readonly string[]>> = {
  watch: ['file'],
  headers: ['url'],
  pollInterval: ['url', 'subgraphs', 'load'],
};

/** What replaces an option with another source. */
const alternativeOptions: Readonly<Record<string, string>> = {
  'file.pollInterval': '`watch`',
  'url.watch': '`pollInterval`',
  'subgraphs.watch': '`pollInterval`',
  'load.watch': '`pollInterval`',
  'subgraphs.headers': '`headers` of an entry of `subgraphs`',
};
