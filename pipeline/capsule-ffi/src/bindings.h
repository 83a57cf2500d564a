/* What is bound: DPDK's functions, and those of shim.c for what DPDK only has inline. */

#include <sched.h>

#include <numa.h>
#include <rte_alarm.h>
#include <rte_eal.h>
#include <rte_ethdev.h>
#include <rte_lcore.h>
#include <rte_mbuf.h>
#include <rte_mbuf_dyn.h>
#include <rte_mempool.h>
#include <rte_thread.h>

/* Values of macros that only the C compiler can evaluate. */
static const uint64_t CAPSULE_RSS_IP = RTE_ETH_RSS_IP;
static const uint64_t CAPSULE_RSS_TCP = RTE_ETH_RSS_TCP;
static const uint64_t CAPSULE_RSS_UDP = RTE_ETH_RSS_UDP;
static const uint64_t CAPSULE_RSS_SCTP = RTE_ETH_RSS_SCTP;
static const uint64_t CAPSULE_RSS_TCP4 = RTE_ETH_RSS_NONFRAG_IPV4_TCP;
static const uint64_t CAPSULE_RSS_TCP6 = RTE_ETH_RSS_NONFRAG_IPV6_TCP;
static const uint64_t CAPSULE_TX_FAST_FREE = RTE_ETH_TX_OFFLOAD_MBUF_FAST_FREE;
static const uint64_t CAPSULE_RX_SCATTER = RTE_ETH_RX_OFFLOAD_SCATTER;
static const uint64_t CAPSULE_RX_TIMESTAMP = RTE_ETH_RX_OFFLOAD_TIMESTAMP;

int shim_rte_errno(void);
struct rte_mbuf *shim_pktmbuf_alloc(struct rte_mempool *pool);
void shim_pktmbuf_free(struct rte_mbuf *mbuf);
int shim_pktmbuf_alloc_bulk(struct rte_mempool *pool, struct rte_mbuf **mbufs, unsigned count);
void shim_mempool_put_bulk(struct rte_mempool *pool, void *const *objects, unsigned count);
uint16_t shim_eth_rx_burst(uint16_t port, uint16_t queue, struct rte_mbuf **mbufs, uint16_t count);
uint16_t shim_eth_tx_burst(uint16_t port, uint16_t queue, struct rte_mbuf **mbufs, uint16_t count);
