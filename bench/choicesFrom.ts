/** The choices that an option of a command line lists, separated by commas.
 *  @throws {Error} for an unknown one. */
export function choicesFrom<Choice extends string>(
  option: string,
  text: string,
  choices: readonly Choice[],
): readonly Choice[] {
  const given = text.split(',');
  const unknown = given.find((one) => !choices.includes(one as Choice));
  if (unknown === undefined) return given as Choice[];
  throw new Error(`--${option} must be one of ${choices.join(', ')}, not "${unknown}".`);
}
