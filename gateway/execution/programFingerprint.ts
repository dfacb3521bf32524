import { hash } from 'node:crypto';
import type { Program } from './program.ts';

/** Equal for programs with the same steps and delivery groups, also across processes: an execution of one can be resumed
 *  with the other. */
export function programFingerprint(program: Program): string {
  let fingerprint = fingerprints.get(program);
  if (fingerprint === undefined) {
    const steps = program.steps.map(({ shape, path, requires, dependsOn, group }) => [
      shape.subgraph,
      shape.operationText,
      path.map((segment) => (segment.kind === 'list' ? 0 : [segment.name, ...(segment.types ?? [])])),
      requires,
      dependsOn,
      group,
    ]);
    const text = JSON.stringify([steps, program.groups]);
    fingerprint = hash('sha256', text, 'base64url');
    fingerprints.set(program, fingerprint);
  }
  return fingerprint;
}

const fingerprints = new WeakMap<Program, string>();
