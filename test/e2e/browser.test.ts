// One suite, so that all pages share one browser, which needs three seconds of CPU time to start. To run one of them:
// npm run test:one -- e2e/browser.test.ts -t 'the insights page'
import './browser/crossOriginRequests.ts';
import './browser/graphiqlPage.ts';
import './browser/insightsPage.ts';
