import { type ArgumentTemplate, parseArgumentTemplate } from '../../config/argumentTemplate.ts';

/** Arguments of a field, by their names. */
export type FieldArguments = Readonly<Record<string, unknown>>;

/** What cannot be made since an argument has no value that could stand in it. */
export class TemplateFailure {
  /** For people; without the value. */
  readonly reason: string;

  constructor(reason: string) {
    this.reason = reason;
  }
}

type TemplateResult<Value> = Value | TemplateFailure;

/** A template of the configuration, parsed; it has been checked there. */
export function compileTemplate(text: string): (args: FieldArguments) => TemplateResult<string> {
  const template = parseArgumentTemplate(text) ?? [text];
  return (args) => renderTemplate(template, args);
}

/** A value whose texts are templates. */
export function compileTemplateValue(value: unknown): (args: FieldArguments) => TemplateResult<unknown> {
  if (typeof value === 'string') return compileTemplate(value);
  if (typeof value !== 'object' || value === null) return () => value;
  const members = Object.entries(value).map(
    ([name, member]) => [name, compileTemplateValue(member)] as const,
  );
  const isList = Array.isArray(value);
  return (args) => {
    const filled: [string, unknown][] = [];
    for (const [name, member] of members) {
      const inner = member(args);
      if (inner instanceof TemplateFailure) return inner;
      filled.push([name, inner]);
    }
    return isList ? filled.map(([, inner]) => inner) : Object.fromEntries(filled);
  };
}

/** Names of the arguments that stand in the texts of a value. */
export function collectArgumentNames(value: unknown): string[] {
  if (typeof value === 'string') {
    return (parseArgumentTemplate(value) ?? []).flatMap((part) =>
      typeof part === 'string' ? [] : (part.path[0] as string),
    );
  }
  return typeof value === 'object' && value !== null
    ? Object.values(value).flatMap(collectArgumentNames)
    : [];
}

function renderTemplate(template: ArgumentTemplate, args: FieldArguments): TemplateResult<string> {
  let text = '';
  for (const part of template) {
    if (typeof part === 'string') {
      text += part;
      continue;
    }
    const value = valueAt(part.path, args);
    if (value === undefined || value === null || typeof value === 'object') {
      const what = value === undefined ? 'not given' : value === null ? 'null' : 'no scalar';
      return new TemplateFailure(`{args.${part.path.join('.')}} is ${what}`);
    }
    text += String(value);
  }
  return text;
}

function valueAt(path: readonly string[], args: FieldArguments): unknown {
  let value: unknown = args;
  for (const name of path) {
    if (typeof value !== 'object' || value === null || Array.isArray(value)) return undefined;
    value = Object.hasOwn(value, name) ? (value as FieldArguments)[name] : undefined;
  }
  return value;
}
