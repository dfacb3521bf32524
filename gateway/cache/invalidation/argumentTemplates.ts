import { type ArgumentTemplate, parseArgumentTemplate } from '../../config/argumentTemplate.ts';
import { isRawNumber } from '../../json/exactJson.ts';

/** The arguments of a field by name. */
export type FieldArguments = Readonly<Record<string, unknown>>;

/** A template that cannot be rendered, because an argument has no scalar value. */
export class TemplateFailure {
  /** Text for people. Contains no values of clients. */
  readonly reason: string;

  constructor(reason: string) {
    this.reason = reason;
  }
}

type TemplateResult<Value> = Value | TemplateFailure;

/** Compiles a template of the configuration, which has already been validated. */
export function compileTemplate(text: string): (args: FieldArguments) => TemplateResult<string> {
  const template = parseArgumentTemplate(text) ?? [text];
  return (args) => renderTemplate(template, args);
}

/** Compiles a value whose strings are templates. */
export function compileTemplateValue(value: unknown): (args: FieldArguments) => TemplateResult<unknown> {
  if (typeof value === 'string') return compileTemplate(value);
  if (typeof value !== 'object' || value === null) return () => value;
  const members = Object.entries(value).map(
    ([name, member]) => [name, compileTemplateValue(member)] as const,
  );
  const isList = Array.isArray(value);
  return (args) => {
    const rendered: [string, unknown][] = [];
    for (const [name, member] of members) {
      const result = member(args);
      if (result instanceof TemplateFailure) return result;
      rendered.push([name, result]);
    }
    return isList ? rendered.map(([, result]) => result) : Object.fromEntries(rendered);
  };
}

/** The names of the arguments in the templates of a value. */
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
    const argument = valueAt(part.path, args);
    const value = isRawNumber(argument) ? argument.rawJSON : argument;
    if (value === undefined || value === null || typeof value === 'object') {
      const problem = value === undefined ? 'missing' : value === null ? 'null' : 'not a scalar';
      return new TemplateFailure(`{args.${part.path.join('.')}} is ${problem}`);
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
