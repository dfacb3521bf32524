import { type ConfigProblem, formatConfigPath } from './configError.ts';
import { durationMsOf, formatDuration } from './duration.ts';
import type { Section } from './isSection.ts';

const durations = { read: durationMsOf, format: formatDuration };
export const numbers = { read: Number, format: String };

/** Checks that the first of two options of a section is no larger than the second one. `defaults`: the values of those that
 *  the section does not have. A problem is reported at an option that it has. */
export function checkOrder<Key extends string>(
  section: Section,
  path: readonly string[],
  [smaller, larger]: readonly [Key, Key],
  defaults: Readonly<Partial<Record<Key, unknown>>>,
  {
    read,
    format,
  }: {
    readonly read: (value: unknown) => number | undefined;
    readonly format: (value: number) => string;
  } = durations,
): ConfigProblem[] {
  const given = [larger, smaller].find((key) => section[key] !== undefined);
  const [least, most] = [smaller, larger].map((key) => read(section[key] ?? defaults[key]));
  // A value that cannot be read is a problem of the schema.
  if (given === undefined || least === undefined || most === undefined || !(least > most)) return [];
  return [
    {
      path: formatConfigPath([...path, given]),
      message: `conflicts: ${smaller} is ${format(least)}, ${larger} is ${format(most)}`,
      expected: `a value of ${smaller} that is no larger than ${larger}`,
    },
  ];
}
