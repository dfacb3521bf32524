import { statSync } from 'node:fs';
import { relative, sep } from 'node:path';
import TestSequencer from '@jest/test-sequencer';

// The package's ES module exports the class itself; its types are those of the CommonJS module.
const Base = TestSequencer as unknown as typeof TestSequencer.default;

type Tests = Parameters<InstanceType<typeof TestSequencer.default>['sort']>[0];

/** The suites that start first, roughly in this order: the slowest ones, so that all workers end at about the same time,
 *  and among them those that wait beside those that compute, so that no processor is idle. A missing suite only costs
 *  time. */
const first = [
  'differential/graphOperations.test.ts',
  'e2e/serve.test.ts',
  'unit/contracts/golden/golden.test.ts',
  'e2e/redisStream.test.ts',
  'e2e/workers.test.ts',
  'e2e/package.test.ts',
  'e2e/workersAdmin.test.ts',
  'e2e/storefront.test.ts',
  'e2e/contractGuard.test.ts',
  'e2e/contracts.test.ts',
  'e2e/browser.test.ts',
  'e2e/cacheRedis.test.ts',
  'e2e/subscriptionResume.test.ts',
  'differential/deferredDemoOperations.test.ts',
  'e2e/subscriptionDisconnects.test.ts',
  'e2e/contractDrift.test.ts',
  'e2e/enrichmentReclaim.test.ts',
  'e2e/planCommand.test.ts',
  'e2e/configCommands.test.ts',
  'e2e/composeCommand.test.ts',
  'e2e/dev.test.ts',
  'unit/planning/workerPlanner.test.ts',
  'unit/transport/readTimeout.test.ts',
  'unit/deploy/observability.test.ts',
  'unit/memory/oldGeneration.test.ts',
  'differential/generatedGraphs.test.ts',
  'unit/contracts/checkBaselines.test.ts',
  'e2e/enrichmentRedis.test.ts',
  'e2e/enrichmentRedisOutages.test.ts',
  'e2e/enrichmentSlowRedis.test.ts',
  'e2e/enrichmentAdaptiveMode.test.ts',
  'e2e/demo.test.ts',
  'e2e/redisFailures.test.ts',
  'e2e/redisConformance.test.ts',
  'fuzz/clientRequests.test.ts',
  'differential/regressions.test.ts',
  'e2e/guides.test.ts',
  'e2e/redisPermissions.test.ts',
  'e2e/contractCanDeploy.test.ts',
  'e2e/cli.test.ts',
  'e2e/repeatedSupergraphSwitches.test.ts',
  'e2e/redisCluster.test.ts',
  'e2e/enrichmentTokens.test.ts',
  'unit/contracts/report/platformReports.test.ts',
  'e2e/enrichments.test.ts',
  'e2e/redisTiers.test.ts',
  'fuzz/subgraphResponses.test.ts',
  'e2e/redisClaims.test.ts',
  'unit/contracts/checkContracts.test.ts',
  'unit/response/dataWriter.test.ts',
];

export default class SlowestFirst extends Base {
  override sort(tests: Tests): Tests {
    const folder = `test${sep}`;
    const rank = ({ path, context }: Tests[number]): number => {
      const name = relative(`${context.config.rootDir}${sep}${folder}`, path).replaceAll(sep, '/');
      const index = first.indexOf(name);
      return index === -1 ? first.length : index;
    };
    const size = ({ path }: Tests[number]): number => statSync(path).size;
    return tests.toSorted((one, other) => rank(one) - rank(other) || size(other) - size(one));
  }
}
