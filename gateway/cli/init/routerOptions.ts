import { formatDuration } from '../../config/duration.ts';
import { sectionOf } from '../../config/isSection.ts';
import { formatSize } from '../../config/size.ts';
import type { ConfigDraft } from './configDraft.ts';
import { routerAddress, routerDurationMs, routerFile } from './routerValues.ts';

/** Translates one option of Apollo Router. */
export type Translate = (value: unknown, source: string, draft: ConfigDraft) => void;

export const seeGuide = 'is not translated; see docs/migration/apollo-router.md';

/** An option that needs nothing here with one of these values, and is not translated otherwise. */
export const unless =
  (values: readonly unknown[], text = seeGuide): Translate =>
  (value, source, draft) => {
    if (!values.some((expected) => JSON.stringify(expected) === JSON.stringify(value)))
      draft.note(source, text);
  };

/** An option that a person has to decide on. */
export const note =
  (text: string): Translate =>
  (_, source, draft) =>
    draft.note(source, text);

/** An option of which nothing depends, because the gateway always behaves so. */
export const unneeded: Translate = () => {};

/** A flag of Apollo Router, off by default. Where a variable decides, it is `strict`, with a note. */
export function readFlag(value: unknown, strict: boolean, source: string, draft: ConfigDraft): boolean {
  if (typeof value === 'boolean') return value;
  if (value === undefined || value === null) return false;
  draft.note(source, `the value ${JSON.stringify(value)} is taken for ${strict}, the stricter one`);
  return strict;
}

/** Copies a value to the option at a path, of which `parents` may contain dots. */
export const to =
  (
    path: string,
    convert: (value: unknown) => unknown = (value) => value,
    parents: readonly string[] = [],
  ): Translate =>
  (value, source, draft) => {
    const converted = convert(value);
    if (converted === undefined)
      draft.note(source, `the value ${JSON.stringify(value)} cannot be translated`);
    else draft.set([...parents, ...path.split('.')], converted, source);
  };

export const asDuration = (value: unknown): unknown => {
  const ms = typeof value === 'string' && !value.includes('${') ? routerDurationMs(value) : undefined;
  return ms === undefined ? (String(value).includes('${') ? value : undefined) : formatDuration(ms);
};
export const asSize = (value: unknown): unknown => (typeof value === 'number' ? formatSize(value) : value);
export const asFile = (value: unknown): unknown =>
  typeof value === 'string' ? routerFile(value) : undefined;
export const negated = (value: unknown): unknown => (typeof value === 'boolean' ? !value : undefined);

/** Translates the keys of a section by their rules. A key without a rule is not translated. */
export const section =
  (rules: Readonly<Record<string, Translate>>): Translate =>
  (value, source, draft) => {
    for (const [key, child] of Object.entries(sectionOf(value)))
      (rules[key] ?? note(seeGuide))(child, `${source}.${key}`, draft);
  };

/** Adds a note for each key of a section. */
export const noteKeys: Translate = section({});

/** `all` and the subgraphs by their names. */
export const bySubgraph =
  (rulesOf: (name: string) => Readonly<Record<string, Translate>>): Translate =>
  (value, source, draft) => {
    const { all, subgraphs } = sectionOf(value);
    section(rulesOf('all'))(all, `${source}.all`, draft);
    for (const [name, child] of Object.entries(sectionOf(subgraphs)))
      section(rulesOf(name))(child, `${source}.subgraphs.${name}`, draft);
  };

/** Copies a value to an option of one subgraph. */
export const toSubgraph = (name: string, path: string, convert?: (value: unknown) => unknown): Translate =>
  to(path, convert, ['subgraphs', name]);

export const address =
  (host: string, port: string): Translate =>
  (value, source, draft) => {
    const read = typeof value === 'string' ? routerAddress(value) : undefined;
    if (read === undefined) {
      draft.note(source, `the value ${JSON.stringify(value)} is not host:port`);
      return;
    }
    draft.set(host.split('.'), read.host, source);
    draft.set(port.split('.'), /^\d+$/.test(read.port) ? Number(read.port) : read.port, source);
  };

export const lowerCase = (value: unknown): unknown =>
  typeof value === 'string' ? value.toLowerCase() : undefined;
