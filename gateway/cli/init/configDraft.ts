import { isAbsolute, relative, resolve } from 'node:path';
import { type ConfigProblem, formatConfigPath } from '../../config/configError.ts';
import { expandReferences, type ReferenceValues, referenceValues } from '../../config/expandReferences.ts';
import { isSection } from '../../config/isSection.ts';
import { findConfigProblems } from '../../config/parseConfig.ts';
import { CommandError, exitCode } from '../exitCode.ts';

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

/** A value for every variable and every file. */
const everyReference: ReferenceValues = {
  environment: new Proxy({}, { get: () => 'value' }),
  readFile: () => 'value',
};

/** A list without which the configuration would be less safe than the one that it is translated from. */
interface RequiredList {
  readonly path: readonly string[];
  readonly source: string;
  readonly message: string;
}

/** A configuration that is being written, and what its reader must know about it. */
export class ConfigDraft {
  readonly #directory: string;
  readonly #options = new Map<string, DraftOption>();
  readonly #notes: DraftNote[] = [];
  readonly #required: RequiredList[] = [];
  /** The problems of dropped values, by their paths. */
  readonly #dropped = new Map<string, ConfigProblem>();

  /** `directory`: that of the file that is being written, from which its relative paths start. */
  constructor(directory = process.cwd()) {
    this.#directory = directory;
  }

  /** A path for the file that is being written, from one that starts at the working directory. */
  relativePath(path: string): string {
    return isAbsolute(path) || path.startsWith('${') ? path : relative(this.#directory, resolve(path));
  }

  /** Sets an option. A later value replaces an earlier one. */
  set(path: readonly string[], value: unknown, source?: string): void {
    this.#options.set(JSON.stringify(path), { path, value, source });
  }

  has(path: readonly string[]): boolean {
    return this.#options.has(JSON.stringify(path));
  }

  /** The value of an option; `undefined` for none. */
  get(path: readonly string[]): unknown {
    return this.#options.get(JSON.stringify(path))?.value;
  }

  /** Makes `dropInvalid` throw an error with this message when the list at a path has no element. */
  requireList(path: readonly string[], source: string, message: string): void {
    this.#required.push({ path, source, message });
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

  /** Moves translated options that the gateway would refuse to the notes; of lists, only the refused elements. Returns the
   *  problems of the other options.
   *  @throws {CommandError} `usageError` when a required list has no element. */
  dropInvalid(): readonly ConfigProblem[] {
    for (;;) {
      this.#checkRequired();
      const options = this.toOptions();
      const { problems: malformed } = expandReferences(options, everyReference);
      // Variables and files may be missing here. Texts that refer to them are not checked.
      const {
        expanded,
        problems: unexpanded,
        ...context
      } = expandReferences(options, referenceValues(process.env, this.#directory));
      const unchecked = new Set(unexpanded.map(({ path }) => path));
      const problems = [
        ...malformed,
        ...findConfigProblems(expanded, context).filter(({ path }) => !unchecked.has(path)),
      ];
      const invalid = Map.groupBy(problems, ({ path }) => this.#translatedOptionAt(path));
      invalid.delete(undefined);
      // A required option that was dropped is not missing: its value is the problem.
      if (invalid.size === 0) return problems.map((problem) => this.#dropped.get(problem.path) ?? problem);
      for (const [option, ofOption] of invalid) {
        if (option === undefined) continue;
        this.#drop(option, ofOption);
        for (const problem of ofOption) {
          const { path, message, expected } = problem;
          this.#dropped.set(path, problem);
          this.note(
            option.source ?? '',
            `${path} ${message}${expected === '' ? '' : `; expected: ${expected}`}`,
          );
        }
      }
    }
  }

  #checkRequired(): void {
    for (const { path, source, message } of this.#required) {
      const list = this.get(path);
      if (Array.isArray(list) && list.length > 0) continue;
      const reasons = this.#notes.filter(({ subject }) => subject.startsWith(source));
      const lines = reasons.map(({ subject, text }) => `\n  ${subject}: ${text}`);
      throw new CommandError(exitCode.usageError, `${message}${lines.join('')}`);
    }
  }

  /** Removes what has these problems: the elements of a list, or the option. */
  #drop(option: DraftOption, problems: readonly ConfigProblem[]): void {
    const own = formatConfigPath(option.path);
    const paths = problems.map(({ path }) => path.slice(own.length));
    const remaining = Array.isArray(option.value) ? withoutElements(option.value, paths) : undefined;
    if (remaining === undefined) this.#options.delete(JSON.stringify(option.path));
    // An empty list stays: without it, a default or the list of all subgraphs would apply, which may allow more.
    else this.#options.set(JSON.stringify(option.path), { ...option, value: remaining });
  }

  /** The translated option that a problem at this path is in, or a file of a certificate without its counterpart. */
  #translatedOptionAt(path: string): DraftOption | undefined {
    const translated = [...this.#options.values()]
      .filter(({ source }) => source !== undefined)
      .map((option) => ({ option, own: formatConfigPath(option.path) }));
    const containing = translated.find(
      ({ own }) => path.startsWith(own) && /^([.[]|$)/.test(path.slice(own.length)),
    );
    const section = path.replace(/\.(cert|key)$/, '');
    const files = ['cert', 'key', 'ca'].map((key) =>
      translated.find(({ own }) => own === `${section}.${key}`),
    );
    return (containing ?? files.find((file) => file !== undefined))?.option;
  }
}

function childOf(section: Record<string, unknown>, key: string): Record<string, unknown> {
  section[key] ??= {};
  return section[key] as Record<string, unknown>;
}

/** The list without the elements that these paths, such as `[1]` or `[0].algorithms[2]`, are in. `undefined` if a path is
 *  that of the list itself. */
function withoutElements(list: readonly unknown[], paths: readonly string[]): readonly unknown[] | undefined {
  const removed = new Set<number>();
  const removedAlgorithms = new Set<string>();
  for (const path of paths) {
    const index = /^\[(\d+)\]/.exec(path)?.[1];
    if (index === undefined) return undefined;
    // Fewer algorithms are stricter. Other lists in an element, such as audiences, would allow more when they are empty.
    if (/^\[\d+\]\.algorithms\[\d+\]$/.test(path)) removedAlgorithms.add(path);
    else removed.add(Number(index));
  }
  return list.flatMap((element, index) => {
    if (removed.has(index)) return [];
    if (!isSection(element) || !Array.isArray(element.algorithms)) return [element];
    const algorithms = element.algorithms.filter(
      (_, position) => !removedAlgorithms.has(`[${index}].algorithms[${position}]`),
    );
    return [{ ...element, algorithms }];
  });
}
