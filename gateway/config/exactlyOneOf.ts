import type { z } from 'zod';

/** A refinement of a section that has either of two options. Its message is a predicate of the section. */
export function exactlyOneOf<const First extends string, const Second extends string>(
  first: First,
  second: Second,
) {
  return (
    section: Readonly<Partial<Record<First | Second, unknown>>>,
    { issues }: z.core.ParsePayload<unknown>,
  ): void => {
    const hasFirst = section[first] !== undefined;
    if (hasFirst !== (section[second] !== undefined)) return;
    const { message, expected } = describeEither(first, second, hasFirst);
    issues.push({ code: 'custom', input: section, message: expected, params: { problem: message } });
  };
}

/** What is wrong with a section that has both options, or neither. */
function describeEither(first: string, second: string, hasBoth: boolean) {
  return hasBoth
    ? { message: `has both \`${first}\` and \`${second}\``, expected: 'only one of them; remove the other' }
    : { message: `has neither \`${first}\` nor \`${second}\``, expected: 'one of them' };
}
