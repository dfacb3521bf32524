import { isSection, sectionOf } from '../../config/isSection.ts';
import { reasonNotToSend } from '../../config/sections/headerName.ts';
import type { ConfigDraft } from './configDraft.ts';

type HeaderRule = Readonly<Record<string, string>>;

interface SubgraphHeaders {
  readonly forward: readonly string[];
  readonly rules: readonly HeaderRule[];
}

/** Translates `headers` of Apollo Router. A subgraph's operations follow those of all subgraphs; here, its lists replace
 *  those of all. */
export function translateHeaders(headers: unknown, draft: ConfigDraft): void {
  const { all, subgraphs, connector, ...others } = sectionOf(headers);
  if (connector !== undefined) draft.note('headers.connector', 'connectors are not executed');
  for (const key of Object.keys(others)) draft.note(`headers.${key}`, 'is not an option of Apollo Router');
  const ofAll = readOperations(all, 'headers.all', draft);
  const general = translateOperations(ofAll, 'headers.all', draft);
  // Apollo Router forwards no header without a rule.
  draft.set(['subgraphs', 'all', 'headers', 'forward'], general.forward, 'headers.all');
  if (general.rules.length > 0)
    draft.set(['subgraphs', 'all', 'headers', 'rules'], general.rules, 'headers.all');
  for (const [name, section] of Object.entries(sectionOf(subgraphs))) {
    const source = `headers.subgraphs.${name}`;
    const own = translateOperations([...ofAll, ...readOperations(section, source, draft)], source, draft);
    for (const key of ['forward', 'rules'] as const) {
      if (JSON.stringify(own[key]) !== JSON.stringify(general[key]))
        draft.set(['subgraphs', name, 'headers', key], own[key], source);
    }
  }
}

function readOperations(section: unknown, source: string, draft: ConfigDraft): readonly unknown[] {
  const { request, ...others } = sectionOf(section);
  for (const key of Object.keys(others))
    draft.note(
      `${source}.${key}`,
      'headers of responses: see subgraphs.all.headers.respond in docs/headers.md',
    );
  // Newer versions have the list in a section.
  const { operations = request } = sectionOf(request);
  if (operations !== undefined && !Array.isArray(operations))
    draft.note(`${source}.request`, 'is not a list of operations');
  return Array.isArray(operations) ? operations : [];
}

function translateOperations(
  operations: readonly unknown[],
  source: string,
  draft: ConfigDraft,
): SubgraphHeaders {
  const translation = new HeaderTranslation((text) => draft.note(source, text));
  for (const operation of operations) {
    const { propagate, insert, remove } = sectionOf(operation);
    if (isSection(propagate)) translation.propagate(propagate);
    else if (isSection(insert)) translation.insert(insert);
    else if (isSection(remove)) translation.remove(remove);
    else draft.note(source, `is not understood: ${JSON.stringify(operation)}`);
  }
  translation.noteRenamedMatches();
  return translation;
}

/** The headers by the operations so far. */
class HeaderTranslation implements SubgraphHeaders {
  forward: string[] = [];
  readonly rules: HeaderRule[] = [];
  readonly #note: (text: string) => void;

  constructor(note: (text: string) => void) {
    this.#note = note;
  }

  propagate({ named, matching, rename, default: fallback }: Readonly<Record<string, unknown>>): void {
    if (typeof matching !== 'string' && [named, rename].some((name) => this.#isNeverSent('propagate', name)))
      return;
    if (fallback !== undefined)
      this.#note(`propagate ${named}: a default value is not available; an extension can set it`);
    if (typeof matching === 'string') this.rules.push({ forwardMatching: simplify(matching) });
    else this.#addNamed(lower(named), lower(rename ?? named));
  }

  insert({ name, value }: Readonly<Record<string, unknown>>): void {
    if (this.#isNeverSent('insert', name)) return;
    if (value === undefined)
      this.#note(`insert ${name}: a value from context or body needs an extension with subgraphHeaders`);
    else this.rules.push({ set: lower(name), value: String(value) });
  }

  remove({ named, matching }: Readonly<Record<string, unknown>>): void {
    if (matching !== undefined) {
      this.#note(`remove matching ${matching}: only headers by name can be removed`);
      return;
    }
    const name = lower(named);
    this.forward = this.forward.filter((forwarded) => forwarded !== name);
    if (reasonNotToSend(name) === undefined && this.rules.some((rule) => adds(rule, name)))
      this.rules.push({ remove: name });
  }

  /** A renamed header is not sent under its own name, although an expression matches it. */
  noteRenamedMatches(): void {
    for (const { rename, to } of this.rules) {
      const matching = this.rules.find((rule) => rule.forwardMatching !== undefined && adds(rule, rename));
      if (matching !== undefined)
        this.#note(`propagate matching ${matching.forwardMatching}: ${rename} is sent as ${to} only`);
    }
  }

  /** In Apollo Router, one header may be sent under several names, and several headers under one: the first of them that the
   *  client sent. Here, the first operation decides. */
  #addNamed(name: string, to: string): void {
    const sent = this.forward.map((header) => ({ rename: header, to: header }));
    const earlier = [...sent, ...this.rules].find((rule) => rule.rename === name || rule.to === to);
    if (earlier !== undefined) {
      if (earlier.rename !== name || earlier.to !== to)
        this.#note(
          `propagate ${name} as ${to}: ${earlier.rename} is sent as ${earlier.to}, and only so; an extension with subgraphHeaders can send more`,
        );
      return;
    }
    // After `remove`, no rule could send the header again.
    const removal = this.rules.findIndex(({ remove }) => remove === name);
    if (removal !== -1) this.rules.splice(removal, 1);
    if (name === to) this.forward.push(name);
    else this.rules.push({ rename: name, to });
  }

  /** Adds a note for a header that the gateway never sends by a rule. */
  #isNeverSent(operation: string, name: unknown): boolean {
    const reason = typeof name === 'string' ? reasonNotToSend(lower(name)) : undefined;
    if (reason !== undefined) this.#note(`${operation} ${name}: ${lower(name)} ${reason}`);
    return reason !== undefined;
  }
}

function adds({ set, to, forwardMatching }: HeaderRule, name: string | undefined): boolean {
  if (name === undefined) return false;
  if (forwardMatching === undefined) return set === name || to === name;
  try {
    return new RegExp(forwardMatching, 'i').test(name);
  } catch {
    return true;
  }
}

/** The expression without `(?i)`, because letter case never matters, and without a last `.*`, which has no effect after
 *  another part and counts as a repetition. */
function simplify(expression: string): string {
  return expression.replace(/^\(\?i\)/, '').replace(/(?<=[^\\])\.\*$/, '');
}

function lower(name: unknown): string {
  return String(name).toLowerCase();
}
