import type { z } from 'zod';

/** A refinement of a section that has one of two options, or neither unless one `isRequired`. Its message is a predicate of
 *  the section. */
export function oneOf<const Key extends string>(first: Key, second: Key, isRequired: boolean) {
  return (
    section: Readonly<Partial<Record<Key, unknown>>>,
    { issues }: z.core.ParsePayload<unknown>,
  ): void => {
    const given = [first, second].filter((key) => section[key] !== undefined);
    if (given.length === 1 || (given.length === 0 && !isRequired)) return;
    const [problem, message] =
      given.length === 0
        ? [`has neither \`${first}\` nor \`${second}\``, 'one of them']
        : [`has both \`${first}\` and \`${second}\``, 'only one of them; remove the other'];
    issues.push({ code: 'custom', input: section, message, params: { problem } });
  };
}
