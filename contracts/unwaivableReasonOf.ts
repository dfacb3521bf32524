/** Rules of findings that no waiver lets pass though they are breaking, each with why. */
const unwaivableReasons: ReadonlyMap<string, string> = new Map([
  ['composition-error', 'there is no supergraph, so that nothing else can be checked or published'],
  ['subgraph-invalid', 'the subgraph does not start, and there is no supergraph with it'],
  ['supergraph-refused', 'no gateway loads the supergraph'],
  ['boot-failed', 'no gateway starts on the supergraph'],
  ['waiver-expired', 'a waiver is made longer by another `expires`'],
  ['waiver-unused', 'a waiver that lets nothing pass is to be removed'],
]);

/** Why a finding of this rule cannot be waived, as the end of a sentence; `undefined` where it can, if it is breaking or
 *  dangerous. */
export function unwaivableReasonOf(rule: string): string | undefined {
  return unwaivableReasons.get(rule);
}

/** For the advice of such a finding. */
export const notWaivableNotice = 'It cannot be waived.';
