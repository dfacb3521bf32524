// One suite, so that one worker composes each graph and builds its planner, once for all of these comparisons. In three
// suites, they take 12 s more of CPU time. To run one of them: npm run test:one -- graphOperations -t 'Apollo Gateway'
import './generatedGraphOperations.ts';
import './enrichments.ts';
import './apollo.ts';
import './cachedOperations.ts';
