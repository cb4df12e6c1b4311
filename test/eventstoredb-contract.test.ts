/** The contract of `npm run test:eventstore`, kept by the loopback node that other tests use. */
import { contractOf } from './eventstoredb/contract.ts'
import { startEventStoreNode } from './eventstoredb/server.ts'

const node = await startEventStoreNode()
const contract = contractOf(`esdb://127.0.0.1:${node.port}?tls=false`)
contract.after(() => node.stop())
contract.run()
