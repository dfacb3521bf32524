import { Document, isMap, isScalar, type YAMLMap } from 'yaml';
import { schemaAt } from '../../config/configJsonSchema.ts';
import type { ConfigDraft, DraftNote } from './configDraft.ts';

const width = 110;

/** Sections that many configurations get later, as comments. Each is valid without its `#`. */
export const suggestedSections = {
  cache: `# Nothing is cached without a rule: docs/caching.md.
# cache:
#   rules:
#     'Product.stock': { maxAge: 5s, staleWhileRevalidate: 30s, staleIfError: 10m }
`,
  enrichment: `# Fields for which a response waits only this long: docs/enrichments.md.
# enrichment:
#   fields:
#     'Product.recommended': { budget: 50ms }
`,
  redis: `# Several processes share the cache, jobs and limits in Redis. Empty: everything stays in this process.
# redis: { url: '\${REDIS_URL:-}' }
`,
  security: `# For exploring the graph. \`tributary dev\` turns these on by itself; leave them off in production.
# security: { graphiql: true, introspection: true, suggestions: true, exposeSubgraphErrors: true }
`,
  telemetry: `# Traces go to an OpenTelemetry collector: docs/observability.md.
# telemetry: { otlp: { endpoint: 'http://localhost:4318' } }
`,
} as const;

/** Prints a draft as YAML. Each option has the first sentence of its description, and each note is a comment. */
export function printDraft(draft: ConfigDraft, introduction: string): string {
  const options = draft.toOptions();
  const document = new Document(options, { aliasDuplicateObjects: false });
  if (isMap(document.contents)) describe(document.contents, [], new Set());
  const head = [
    introduction,
    'Every option is in docs/configuration.md. The folder docs/ is in the package `tributary-gateway`.',
    '`tributary config print` prints all options with their values.',
  ];
  const suggestions = Object.entries(suggestedSections)
    .filter(([name]) => !(name in options))
    .map(([, text]) => `\n${text}`);
  const body = document.toString({ lineWidth: 0, singleQuote: true });
  return `${comment(head.join('\n'))}\n${body}${suggestions.join('')}${printNotes(draft.notes)}`;
}

function printNotes(notes: readonly DraftNote[]): string {
  if (notes.length === 0) return '';
  const lines = notes.map(({ subject, text }) => comment(`- ${subject}: ${text}`, '  '));
  return `\n# To decide by hand:\n${lines.join('')}`;
}

/** Adds comments to the options of a section. `described` has the options that have their comment already. */
function describe(section: YAMLMap, path: readonly string[], described: Set<string>): void {
  for (const [index, { key, value }] of section.items.entries()) {
    if (!isScalar(key)) continue;
    const own = [...path, String(key.value)];
    // Sections of several subgraphs have the same options.
    const description = schemaAt(own)?.description ?? '';
    const isNew = description !== '' && !described.has(description);
    described.add(description);
    if (isNew)
      key.commentBefore = comment(firstSentence(description), '', width - 2 * path.length).replaceAll(
        /^#|\n$|(?<=\n)#/g,
        '',
      );
    key.spaceBefore = path.length === 0 && index > 0;
    if (isMap(value)) describe(value, own, described);
  }
}

/** Without links. */
function firstSentence(description: string): string {
  const plain = description.replaceAll(/\[([^\]]+)\]\([^)]+\)/g, '$1');
  return /^.*?[^.\d]\.(?= [A-Z`]|$)/s.exec(plain)?.[0] ?? plain;
}

/** Comment lines of a text, broken at spaces. */
function comment(text: string, indent = '', columns = width): string {
  const lines = text.split('\n').flatMap((paragraph) => {
    const broken = [''];
    for (const word of paragraph.split(' ')) {
      const last = broken.at(-1) ?? '';
      if (last === '') broken[broken.length - 1] = word;
      else if (last.length + word.length + 3 > columns) broken.push(`${indent}${word}`);
      else broken[broken.length - 1] = `${last} ${word}`;
    }
    return broken;
  });
  return lines
    .map((line) => `# ${line}`.trimEnd())
    .join('\n')
    .concat('\n');
}
