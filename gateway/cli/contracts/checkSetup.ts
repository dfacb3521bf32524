import type { CheckSteps } from '../../../contracts/checkSteps.ts';
import { createCheckSteps } from '../../../contracts/createCheckSteps.ts';
import type { StartGateway } from '../../../contracts/graph/bootGateway.ts';
import { anonymousClient } from '../../admission/identity.ts';
import { supergraphTools } from '../../contracts/supergraphTools.ts';
import { createGateway } from '../../gateway.ts';

export const startGateway: StartGateway = async (options, scopes) => {
  const gateway = await createGateway(
    { ...options, extensions: [{ name: 'grant-policies', decidePolicies: ({ policies }) => policies }] },
    { readIdentity: () => ({ ...anonymousClient, claims: { scope: scopes } }) },
  );
  try {
    return { ...(await gateway.start()), close: () => gateway.close() };
  } catch (error) {
    await gateway.close();
    throw error;
  }
};

/** The steps of a check with this gateway. */
export const checkSteps: CheckSteps = createCheckSteps({
  supergraphTools,
  startGateway,
});

/** Writes the current step to standard error, so that it does not mix with the report. */
export function showProgress(message: string): void {
  process.stderr.write(`… ${message}\n`);
}

/** The day in UTC, such as `2027-01-31`. */
export function utcDate(): string {
  return new Date().toISOString().slice(0, 10);
}
