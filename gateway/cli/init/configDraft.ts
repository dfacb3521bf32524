import { type ConfigProblem, formatConfigPath } from '../../config/configError.ts';
import { expandEnvironment } from '../../config/expandEnvironment.ts';
import { findConfigProblems } from '../../config/parseConfig.ts';

export interface DraftNote {
  /** What the note is about, such as an option of another gateway. */
  readonly subject: string;
  readonly text: string;
}

interface DraftOption {
  readonly path: readonly string[];
  readonly value: unknown;
  /** The option of another gateway that it is translated from. */
  readonly source: string | undefined;
}

/** A configuration that is being written, and what its reader must know about it. */
export class ConfigDraft {
  readonly #options = new Map<string, DraftOption>();
  readonly #notes: DraftNote[] = [];

  /** Sets an option. A later value replaces an earlier one. */
  set(path: readonly string[], value: unknown, source?: string): void {
    this.#options.set(JSON.stringify(path), { path, value, source });
  }

  has(path: readonly string[]): boolean {
    return this.#options.has(JSON.stringify(path));
  }

  note(subject: string, text: string): void {
    if (!this.#notes.some((note) => note.subject === subject && note.text === text))
      this.#notes.push({ subject, text });
  }

  get notes(): readonly DraftNote[] {
    return this.#notes;
  }

  /** The options as sections, in the order of their first option. */
  toOptions(): Record<string, unknown> {
    const root: Record<string, unknown> = {};
    for (const { path, value } of this.#options.values()) {
      let section = root;
      for (const key of path.slice(0, -1)) section = childOf(section, key);
      section[path.at(-1) ?? ''] = value;
    }
    return root;
  }

  /** Moves translated options that the gateway would refuse to the notes. Returns the problems of the others. */
  dropInvalid(): readonly ConfigProblem[] {
    for (;;) {
      // Variables may have no value here. Their references are not checked.
      const { expanded, problems: unset } = expandEnvironment(this.toOptions(), process.env);
      const unknown = new Set(unset.map(({ path }) => path));
      const problems = findConfigProblems(expanded).filter(({ path }) => !unknown.has(path));
      const invalid = problems.flatMap((problem) => {
        const option = this.#translatedOptionAt(problem.path);
        return option === undefined ? [] : [{ problem, option }];
      });
      if (invalid.length === 0) return problems;
      for (const { problem, option } of invalid) {
        this.#options.delete(JSON.stringify(option.path));
        const expected = problem.expected === '' ? '' : `; expected: ${problem.expected}`;
        this.note(option.source ?? '', `${problem.path} ${problem.message}${expected}`);
      }
    }
  }

  /** The translated option that a problem at this path is in. */
  #translatedOptionAt(path: string): DraftOption | undefined {
    return [...this.#options.values()].find((option) => {
      const own = formatConfigPath(option.path);
      return option.source !== undefined && path.startsWith(own) && /^([.[]|$)/.test(path.slice(own.length));
    });
  }
}

function childOf(section: Record<string, unknown>, key: string): Record<string, unknown> {
  section[key] ??= {};
  return section[key] as Record<string, unknown>;
}
