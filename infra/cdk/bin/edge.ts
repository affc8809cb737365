// The web ACL for a CloudFront whose stack is not in us-east-1. Deployed there first; its output goes
// to the other app as `-c webAclArn=...`.

import { QuickStart } from '../lib/index.ts';

QuickStart.webAcl();
