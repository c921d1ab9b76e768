/* The lease protocol of one target, for Spin. What is and is not in here: README.md, next to this file.
 *
 * Three epochs. 2, the watched lease, is followed in full: its holder, its attach records, the gate of every boot, its
 * calls in flight. 3 is the younger one: it waits until it may be granted, and its durable grant counts as "epoch 3
 * signs" at once. 1 is an older one whose ACQUIRE and acknowledgements may still be under way.
 *
 * Time is the Clock's tick; every age and rest below is in ticks and saturates where nothing more depends on it. Redis has
 * no timer. Holders, proxies, observers and the network may pause for ever: nothing but the clock ever has to happen.
 * A message that is delivered late is an operation that is executed late, because the server decides when it executes it;
 * where the sender's knowledge matters (a poll's answer, an observer's look) it is remembered from when it was true.
 */
#include "table.pml"

/* --- sizes; the driver sets them ------------------------------------------------------------------------------- */
#ifndef BUDGET
#define BUDGET 2            /* TTL (1 - rho) - delta: from the send time of the proof to D */
#endif
#ifndef Q
#define Q 1                 /* how long a call may land after its connection was cut */
#endif
#ifndef SEQS
#define SEQS 2              /* highest seq: SEQS - 1 renewals */
#endif
#ifndef BOOTS
#define BOOTS 1             /* boots of proxies; with REBOOT the last one is boot 0's proxy started again */
#endif

/* --- waiting times of the observer: exactly as long as they must be, so that one tick less is one too few ------- */
#if defined(M_NO_WINDOW)
#define W 0
#elif defined(M_WINDOW_SHORT)
#define W (BUDGET - 1)
#else
#define W BUDGET            /* TTL (1 + 2 rho) + G against D: the margin is what rho, delta and G are for */
#endif
#ifdef M_NO_Q_IN_EXPIRE
#define W_UNKNOWN W
#else
#define W_UNKNOWN (W + Q)
#endif
#if defined(M_NO_Q_IN_EMBARGO)
#define EMBARGO BUDGET
#elif defined(M_EMBARGO_SHORT)
#define EMBARGO (BUDGET + Q - 1)
#else
#define EMBARGO (BUDGET + Q)
#endif

/* --- which faults ---------------------------------------------------------------------------------------------- */
/* FAILOVER: a replica that stopped copying at some moment is promoted later; the deposed primary goes on for ever.
 * RESTART:  Redis starts again from a disk that stopped being written at some moment.
 * EMPTY:    Redis starts again with nothing.
 * DELETES n: the state hash is deleted up to n times.
 * LOSES_RECORDS: the attach records are deleted, at any time. */
#if defined(FAILOVER) || defined(RESTART)
#define COPY
#endif
#if defined(COPY) || defined(EMPTY)
#define SERVERS 2
#define BOTH_SERVERS
#else
#define SERVERS 1
#endif
#if defined(BOTH_SERVERS) || defined(DELETES)
#define EMBARGOES
#endif

#define OLD 1
#define WATCHED 2
#define YOUNG 3

typedef Server {
    byte state;             /* of the hash; NONE: there is no hash */
    byte lease;             /* whose lease it is; a lease id names one grant, hence one epoch here */
    byte last;              /* no epoch up to this one is granted */
    byte seq;
    byte conf;              /* confirmed seq in this server's incarnation; 0 when confirmed in another */
    bit cleared;            /* the incarnation record names this server */
#ifdef LOSES_RECORDS
    bit lost;               /* the attach records were deleted: fewer than the count in the hash, for the rest of this lease */
#endif
    byte att[BOOTS]
};
/* att: */
#define ABSENT 0
#define HERE 1              /* attached in this server's incarnation */
#define ELSEWHERE 2         /* attached in an earlier one: it must be acknowledged, but opens nothing */
#define DONE 3              /* acknowledged with nothing in flight */

Server srv[SERVERS];        /* srv[1]: first the replica's or the disk's copy, once promoted the primary */
bit promoted;
#ifdef COPY
bit copied;                 /* the copy was made; what srv[0] takes from now on is not in it */
byte copy_seq;              /* seq of the watched lease in the copy; 0: the copy has another lease or none */
bit copy_young;
#endif

bit durable;                /* the watched holder knows that its grant is on every replica and on disk */
#ifdef EMBARGOES
/* Only CLEAR and the younger ACQUIRE show whether epoch 3 has been claimed: it is decided there that it had been. */
byte db_epoch = WATCHED;
#endif
bit young_on;               /* epoch 3 was granted durably, hence signs */
#if defined(OLDER) || defined(WITNESS_ACK) || defined(WITNESS_EXPIRE)
#define SEES_SIGNING
bit has_signed;             /* epoch 2 has signed */
#endif
byte renewed_ago;           /* since the last renewal that a failover keeps */

/* gate[b] */
#define UNBORN 0
#define LIVE 1
#define CUT 2               /* shut for ever, connections aborted, a call still in flight; a killed process is cut as well */
#define ACKED 3             /* shut for ever with nothing in flight: its acknowledgement may arrive at any time, or never */
byte gate[BOOTS];
bit usable[BOOTS];
byte left[BOOTS];           /* until D; 0: none was opened */
#ifdef REPLY_ATTACHES
byte attached[BOOTS];       /* in which server's incarnation the reply to ATTACH said so: 1 + server, 0 in none */
#endif
bit looked_at[BOOTS];       /* in which incarnation its history was made */
byte flight[BOOTS];         /* calls in flight: Q while the gate is open, then the rest of the time they have */
#define HISTORY (BOOTS * (SEQS - 1))
byte shown_ago[HISTORY];    /* [b][seq]: since the last poll was sent that showed seq; BUDGET: none, or of no use any more */
#define SHOWN(b, q) shown_ago[(b) * (SEQS - 1) + (q) - 1]

#ifdef LATE_REPLY
/* One answer under way per boot. */
byte ans[BOOTS];            /* 0 none, 1 it shows that the lease is not held, 2 it shows it held */
byte ans_seq[BOOTS];
byte ans_conf[BOOTS];
byte ans_att[BOOTS];
bit ans_from[BOOTS];
byte ans_ago[BOOTS];
#endif

/* The observer's memory of the watched lease, and of the incarnation under embargo. */
bit obs_at; byte obs_seq; byte obs_age;
#ifdef M_STALE_LOOK
bit obs_clear;
inline forget_seen() { obs_at = 0; obs_seq = 0; obs_age = 0; obs_clear = 0 }
#else
inline forget_seen() { obs_at = 0; obs_seq = 0; obs_age = 0 }
#endif
#ifdef EMBARGOES
byte emb_at; byte emb_age;
#endif
#ifdef DELETES
byte deletes;
#endif
#ifdef LATE_CLEAR
/* A CLEAR that was sent: it may be executed at any later time, more than once, or never. It says that there was a hash, or
 * it names the absence that was observed. The server made that name for this absence alone, and a CLEAR uses it up. */
byte sent_clear;            /* its floor; 0: none is under way */
bit sent_to;
bit sent_absent;            /* it names an absence, the present one; once that is over it is refused for ever, hence dropped */
#endif

#if defined(FAILOVER)
#define ALIVE(s) ((s) == 0 || promoted)
#else
#define ALIVE(s) ((s) == promoted)
#endif
/* DEPOSED_BUSY: what the deposed primary takes besides RENEW, CONFIRM, ATTACH and polls. Without it the rest is left out:
 * it could only make the deposed primary show a lease that is not held, which cuts a gate, and a gate may be cut anyway. */
#ifdef DEPOSED_BUSY
#define RULES(s) ALIVE(s)
#else
#define RULES(s) ((s) == promoted)
#endif
#ifdef COPY
#define COPY_KEEPS(s, what) (!copied || (s) == 1 || (what))
#else
#define COPY_KEEPS(s, what) true
#endif

#define OPEN(b) (gate[b] == LIVE && usable[b] && left[b] > 0)
#if BOOTS == 1
#define ANY_OPEN OPEN(0)
#define ANY_FLIGHT (flight[0] > 0)
#define ALL_CLEAR(s) (COUNTED(s) && CLEAR_OF(s, 0))
#define SOME(s, what) (srv[s].att[0] == what)
#elif BOOTS == 2
#define ANY_OPEN (OPEN(0) || OPEN(1))
#define ANY_FLIGHT (flight[0] > 0 || flight[1] > 0)
#define ALL_CLEAR(s) (COUNTED(s) && CLEAR_OF(s, 0) && CLEAR_OF(s, 1))
#define SOME(s, what) (srv[s].att[0] == what || srv[s].att[1] == what)
#else
#define ANY_OPEN (OPEN(0) || OPEN(1) || OPEN(2))
#define ANY_FLIGHT (flight[0] > 0 || flight[1] > 0 || flight[2] > 0)
#define ALL_CLEAR(s) (COUNTED(s) && CLEAR_OF(s, 0) && CLEAR_OF(s, 1) && CLEAR_OF(s, 2))
#define SOME(s, what) (srv[s].att[0] == what || srv[s].att[1] == what || srv[s].att[2] == what)
#endif
#if defined(LOSES_RECORDS) && !defined(M_NO_COUNT)
#define COUNTED(s) (!srv[s].lost)
#else
#define COUNTED(s) true
#endif
#define CLEAR_OF(s, b) (srv[s].att[b] == ABSENT || srv[s].att[b] == DONE)
#define BUSY(s) (srv[s].state == HELD || srv[s].state == RELEASING || srv[s].state == REVOKING)

/* SYMMETRIC: two boots differ in nothing but their number, so states that differ only by swapping them are one: the boot
 * with the smaller KEY comes first. KEY holds all that is kept of a boot. */
#if defined(SYMMETRIC) && (BOOTS != 2 || defined(REBOOT) || defined(LATE_REPLY) || defined(REPLY_ATTACHES) || defined(OLDER))
#error "the boots are not alike, or KEY does not hold all of them"
#endif
#ifdef SYMMETRIC
hidden byte kept;
#define SWAP(x, y) kept = x; x = y; y = kept
#if SERVERS > 1
#define ATT_OF(b) (srv[0].att[b] + 4 * srv[1].att[b])
#else
#define ATT_OF(b) srv[0].att[b]
#endif
#if SEQS > 3
#define SHOWN_OF(b) (SHOWN(b, 1) + 8 * SHOWN(b, 2) + 64 * SHOWN(b, 3))
#elif SEQS > 2
#define SHOWN_OF(b) (SHOWN(b, 1) + 8 * SHOWN(b, 2))
#else
#define SHOWN_OF(b) SHOWN(b, 1)
#endif
#define KEY(b) (gate[b] + 4 * usable[b] + 8 * looked_at[b] + 16 * flight[b] + 64 * left[b] + 512 * ATT_OF(b) + 8192 * SHOWN_OF(b))
inline sort_boots() {
    if
    :: KEY(0) > KEY(1) ->
       SWAP(gate[0], gate[1]); SWAP(usable[0], usable[1]); SWAP(looked_at[0], looked_at[1]); SWAP(flight[0], flight[1]);
       SWAP(left[0], left[1]); SWAP(srv[0].att[0], srv[0].att[1]); SWAP(SHOWN(0, 1), SHOWN(1, 1));
#if SERVERS > 1
       SWAP(srv[1].att[0], srv[1].att[1]);
#endif
#if SEQS > 2
       SWAP(SHOWN(0, 2), SHOWN(1, 2));
#endif
#if SEQS > 3
       SWAP(SHOWN(0, 3), SHOWN(1, 3));
#endif
       kept = 0
    :: else
    fi
}
#else
inline sort_boots() { skip }
#endif

/* --- what must hold: the name of the violated property is in the assertion that Spin reports --------------------- */
#define OneSigner (!(young_on && ANY_OPEN))
#define EpochMonotone (!young_on)
#define EpochMonotone_below (!has_signed && !young_on)
#define NoSignAfterDeadline (renewed_ago < BUDGET)
#define NoEarlyGrant (!ANY_OPEN && !ANY_FLIGHT)

/* --- operations of the server; each is one script, hence one d_step --------------------------------------------- */
inline complete(s) {
    if
#ifdef M_NOT_ALL_ACKED
    :: AFTER(srv[s].state, COMPLETE) != NONE && (ALL_CLEAR(s) || SOME(s, DONE)) ->
#else
    :: AFTER(srv[s].state, COMPLETE) != NONE && ALL_CLEAR(s) ->
#endif
       srv[s].state = AFTER(srv[s].state, COMPLETE);
       forget(s)
    :: else
    fi
}

/* An ended lease's fields are read by nobody: set alike, they make fewer states. */
inline forget(s) {
    srv[s].seq = 0; srv[s].conf = 0; srv[s].att[0] = ABSENT;
#ifdef LOSES_RECORDS
    srv[s].lost = 0;
#endif
#if BOOTS > 1
    srv[s].att[1] = ABSENT;
#endif
#if BOOTS > 2
    srv[s].att[2] = ABSENT;
#endif
}

#if defined(M_EPOCH_GE)
#define ABOVE(e, s) ((e) >= srv[s].last)
#else
#define ABOVE(e, s) ((e) > srv[s].last)
#endif
#if defined(M_KEY_ABSENCE)
/* The key may vanish at any time, hence always; whoever takes that for a licence asks for nothing else. */
#define FREE_FOR_TAKING(s) (AFTER(srv[s].state, ACQUIRE) != NONE || srv[s].state == HELD)
#else
#define FREE_FOR_TAKING(s) (AFTER(srv[s].state, ACQUIRE) != NONE)
#endif
#define MAY_ACQUIRE(e, s) (RULES(s) && srv[s].lease != (e) && srv[s].cleared && FREE_FOR_TAKING(s) && ABOVE(e, s))

inline grant(e, s) {
    forget(s);
    srv[s].lease = e; srv[s].last = e; srv[s].seq = 1; srv[s].state = HELD
}

#ifdef M_ACQUIRE_NOT_DURABLE
#define KEPT(s, what) true
#else
#define KEPT(s, what) COPY_KEEPS(s, what)
#endif

inline acquire_watched(s) {
    d_step {
        MAY_ACQUIRE(WATCHED, s) ->
        grant(WATCHED, s);
#if defined(DELETES) && !defined(M_LEASE_REVIVED)
        /* After a deletion the same ACQUIRE makes another lease id: what was seen of the old one matches nothing. */
        if :: obs_at == s -> forget_seen() :: else fi;
#endif
        durable = KEPT(s, false);
#ifdef COPY
        if :: s == 0 -> copy_seq = 0 :: else fi;    /* what the copy has is the lease before it was lost here */
#endif
        renewed_ago = 0
    }
}
#ifdef COPY
inline acquire_proved(s) {      /* WAIT and WAITAOF answered: the copy has it */
    d_step { ALIVE(s) && !durable && srv[s].lease == WATCHED && COPY_KEEPS(s, copy_seq > 0) -> durable = 1 }
}
#endif
inline renew(s) {
    d_step {
        ALIVE(s) && durable && srv[s].lease == WATCHED && AFTER(srv[s].state, RENEW) != NONE && srv[s].seq < SEQS ->
        srv[s].seq++;
#ifdef FAILOVER
        if :: COPY_KEEPS(s, false) -> renewed_ago = 0 :: else fi
#else
        renewed_ago = 0
#endif
    }
}
/* The holder confirms the highest seq that WAIT let it know to be on the replica. A disk is not asked for renewals. */
#ifdef FAILOVER
#define CONFIRMABLE(s) (COPY_KEEPS(s, false) -> srv[s].seq : copy_seq)
#else
#define CONFIRMABLE(s) srv[s].seq
#endif
inline confirm(s) {
    d_step {
        ALIVE(s) && srv[s].lease == WATCHED && AFTER(srv[s].state, CONFIRM) != NONE && CONFIRMABLE(s) > srv[s].conf ->
        srv[s].conf = CONFIRMABLE(s)
    }
}
inline revoke(s) {
    d_step {
        RULES(s) && srv[s].lease == WATCHED && srv[s].state == HELD ->
        srv[s].state = AFTER(srv[s].state, REVOKE); complete(s)
    }
}
inline release(s) {
    d_step {
        RULES(s) && srv[s].lease == WATCHED && srv[s].state == HELD ->
        srv[s].state = AFTER(srv[s].state, RELEASE); complete(s)
    }
}

#if defined(M_ATTACH_OUTSIDE_HELD)
#define ATTACHABLE(s) (srv[s].state != NONE)
#else
#define ATTACHABLE(s) (AFTER(srv[s].state, ATTACH) != NONE)
#endif
#ifdef M_NO_ATTACH
#define NO_RECORDS true
#else
#define NO_RECORDS false
#endif
#ifdef REPLY_ATTACHES
#define UNKNOWN_TO(b, s) (attached[b] != s + 1)
#else
#define UNKNOWN_TO(b, s) false
#endif
inline attach(b, s) {
    d_step {
        gate[b] == LIVE && ALIVE(s) && srv[s].lease == WATCHED && ATTACHABLE(s) && srv[s].att[b] != DONE &&
        (srv[s].att[b] != HERE || UNKNOWN_TO(b, s)) ->
#ifdef REPLY_ATTACHES
        attached[b] = s + 1;
#endif
        if :: BUSY(s) && !NO_RECORDS -> srv[s].att[b] = HERE :: else fi;
        sort_boots()
    }
}

#if defined(M_CUT_SIGNS_AGAIN)
bit was_cut[BOOTS];
#define SPEAKS_FOR(b) (was_cut[b])
#elif defined(M_ACK_WITHOUT_BOOT)
/* Any boot of the same proxy may speak for the record. */
#define SPEAKS_FOR(b) (gate[b] == ACKED || gate[BOOTS - 1] == ACKED)
#else
#define SPEAKS_FOR(b) (gate[b] == ACKED)
#endif
inline acknowledge(b, s) {
    d_step {
        SPEAKS_FOR(b) && RULES(s) && srv[s].lease == WATCHED && AFTER(srv[s].state, ACKNOWLEDGE) != NONE &&
        (srv[s].att[b] == HERE || srv[s].att[b] == ELSEWHERE) ->
        srv[s].att[b] = DONE; complete(s);
        sort_boots()
    }
}

/* --- a boot of a proxy ------------------------------------------------------------------------------------------ */
inline canonical(b) {       /* after the end of a gate nothing of its memory matters */
    usable[b] = 0; left[b] = 0; looked_at[b] = 0;
#ifdef REPLY_ATTACHES
    attached[b] = 0;
#endif
    SHOWN(b, 1) = BUDGET;
#if SEQS > 2
    SHOWN(b, 2) = BUDGET;
#endif
#if SEQS > 3
    SHOWN(b, 3) = BUDGET;
#endif
#ifdef LATE_REPLY
    ans[b] = 0; ans_seq[b] = 0; ans_conf[b] = 0; ans_att[b] = 0; ans_from[b] = 0; ans_ago[b] = 0;
#endif
}
#ifdef M_CUT_SIGNS_AGAIN
/* It forgets the deadline and goes on; its acknowledgement is sent and may arrive. */
inline cut(b) { canonical(b); if :: flight[b] == 0 -> was_cut[b] = 1 :: else fi }
#else
inline cut(b) { canonical(b); gate[b] = (flight[b] > 0 -> CUT : ACKED) }
#endif
inline landed(b) {
    flight[b] = 0;
    if :: gate[b] == CUT -> gate[b] = ACKED :: else fi
}

#ifdef M_NO_CONFIRM
#define CONFIRMED(s) srv[s].seq
#else
#define CONFIRMED(s) srv[s].conf
#endif
#ifdef M_FIRST_SIGHT
#define PROVES(q, c) ((q) <= (c))
#else
#define PROVES(q, c) ((q) < (c))
#endif
#ifdef M_REPLY_TIME
#define AGE(a) 0
#else
#define AGE(a) (a)
#endif

/* Is this boot attached in this incarnation? The view says so; with REPLY_ATTACHES a reply to ATTACH is enough, also one
 * that came after the view was taken. */
#if defined(M_NO_ATTACH)
#define ATTACHED_SINCE(b, s) true
#elif defined(REPLY_ATTACHES)
#define ATTACHED_SINCE(b, s) (attached[b] == s + 1)
#else
#define ATTACHED_SINCE(b, s) (v_att == HERE)
#endif
/* Judge an answer: the view was taken at server s, v_ago ticks ago; a poll sent earlier than that only lowers D. */
byte v_held, v_seq, v_conf, v_att, v_ago, d_best;   /* scratch, 0 between two steps */
inline judge(b, s) {
    if
    :: !v_held -> cut(b)
    :: else ->
#ifndef M_ACROSS_INCARNATIONS
       if
       :: looked_at[b] != s ->
          SHOWN(b, 1) = BUDGET;
#if SEQS > 2
          SHOWN(b, 2) = BUDGET;
#endif
#if SEQS > 3
          SHOWN(b, 3) = BUDGET;
#endif
       :: else
       fi;
#endif
       looked_at[b] = s;
       if :: v_seq < SEQS -> SHOWN(b, v_seq) = AGE(v_ago) :: else fi;
       usable[b] = 0;
       if
       :: ATTACHED_SINCE(b, s) ->
          d_best = BUDGET;
          if :: PROVES(1, v_conf) && SHOWN(b, 1) < d_best -> d_best = SHOWN(b, 1) :: else fi;
#if SEQS > 2
          if :: PROVES(2, v_conf) && SHOWN(b, 2) < d_best -> d_best = SHOWN(b, 2) :: else fi;
#endif
#if SEQS > 3
          if :: PROVES(3, v_conf) && SHOWN(b, 3) < d_best -> d_best = SHOWN(b, 3) :: else fi;
#endif
          if :: d_best < BUDGET -> left[b] = BUDGET - d_best; usable[b] = 1 :: else fi
       :: else
       fi
    fi;
    v_held = 0; v_seq = 0; v_conf = 0; v_att = 0; v_ago = 0; d_best = 0
}
#define SHOWS_HELD(b, s) (srv[s].lease == WATCHED && srv[s].state == HELD && CALLED_LIVE(srv[s].att[b]))
#ifdef M_CUT_SIGNS_AGAIN
#define CALLED_LIVE(a) true
#else
#define CALLED_LIVE(a) ((a) != DONE)
#endif
#ifdef LATE_REPLY
inline poll(b, s) {
    d_step {
        gate[b] == LIVE && ALIVE(s) && ans[b] == 0 ->
        if
        :: SHOWS_HELD(b, s) ->
           ans[b] = 2; ans_seq[b] = srv[s].seq; ans_conf[b] = CONFIRMED(s); ans_from[b] = s;
#ifndef REPLY_ATTACHES
           ans_att[b] = srv[s].att[b]
#endif

        :: else -> ans[b] = 1
        fi
    }
}
inline answer(b) {
    d_step {
        gate[b] == LIVE && ans[b] != 0 ->
        v_held = (ans[b] == 2); v_seq = ans_seq[b]; v_conf = ans_conf[b]; v_att = ans_att[b]; v_ago = ans_ago[b];
        judge(b, ans_from[b]);
        ans[b] = 0; ans_seq[b] = 0; ans_conf[b] = 0; ans_att[b] = 0; ans_from[b] = 0; ans_ago[b] = 0
    }
}
inline answer_lost(b) {
    d_step {
        gate[b] == LIVE && ans[b] != 0 ->
        ans[b] = 0; ans_seq[b] = 0; ans_conf[b] = 0; ans_att[b] = 0; ans_from[b] = 0; ans_ago[b] = 0
    }
}
#else
inline poll(b, s) {
    d_step {
        gate[b] == LIVE && ALIVE(s) ->
        v_held = SHOWS_HELD(b, s); v_seq = srv[s].seq; v_conf = CONFIRMED(s); v_att = srv[s].att[b]; v_ago = 0;
        judge(b, s);
        sort_boots()
    }
}
#endif

#ifdef BOTH_SERVERS
#define AT_EITHER(operation) :: operation(0) :: operation(1)
#define AT_EITHER_OF(operation, b) :: operation(b, 0) :: operation(b, 1)
#else
#define AT_EITHER(operation) :: operation(0)
#define AT_EITHER_OF(operation, b) :: operation(b, 0)
#endif

#ifdef LIVENESS
/* Holders and proxies owe nothing to EventuallyGranted: fairness is satisfied by their idling. */
#define MAY_IDLE :: renewed_ago <= BUDGET
#else
#define MAY_IDLE
#endif
proctype Proxy(byte b) {
end:
    do
    MAY_IDLE
    AT_EITHER_OF(attach, b)
    AT_EITHER_OF(poll, b)
#ifdef LATE_REPLY
    :: answer(b)
    :: answer_lost(b)
#endif
    :: d_step {                                          /* bytes leave */
        OPEN(b) && (flight[b] < Q || !EpochMonotone || !NoSignAfterDeadline) ->
        assert(EpochMonotone);
        assert(NoSignAfterDeadline);
#ifdef SEES_SIGNING
        has_signed = 1;
#endif
        flight[b] = Q;
        sort_boots()
       }
    :: d_step { flight[b] > 0 -> landed(b); sort_boots() }             /* a call is answered, or lands */
    :: d_step { gate[b] == LIVE -> cut(b); sort_boots() }              /* cut or killed: worker gone, operator, push, shutdown, crash */
    AT_EITHER_OF(acknowledge, b)
#ifdef REBOOT
    :: d_step { b == BOOTS - 1 && gate[b] == UNBORN && gate[0] != LIVE -> gate[b] = LIVE }   /* started again */
#endif
    od
}

/* --- holders ---------------------------------------------------------------------------------------------------- */
proctype Holder() {
end:
    do
    MAY_IDLE
    AT_EITHER(acquire_watched)
#ifdef COPY
    AT_EITHER(acquire_proved)
#endif
    AT_EITHER(renew)
    AT_EITHER(confirm)
    AT_EITHER(revoke)
#ifdef RELEASES
    AT_EITHER(release)
#endif
    od
}

#if defined(WITNESS_ACK)
#define WITNESS(s) assert(!(has_signed && (srv[s].state == SEVERED || srv[s].state == RELEASED)))
#elif defined(WITNESS_EXPIRE)
#define WITNESS(s) assert(!(has_signed && srv[s].state == EXPIRED))
#else
#define WITNESS(s) skip
#endif
inline acquire_young(s) {
    d_step {
        MAY_ACQUIRE(YOUNG, s) ->
        WITNESS(s);
#ifdef EMBARGOES
        db_epoch = YOUNG;
#endif
        grant(YOUNG, s);
        if
        :: KEPT(s, false) && !young_on ->
           assert(NoEarlyGrant);
           young_on = 1
        :: else
        fi
    }
}
#ifdef COPY
inline young_proved(s) {
    d_step {
        ALIVE(s) && !young_on && srv[s].lease == YOUNG && COPY_KEEPS(s, copy_young) ->
        assert(NoEarlyGrant);
        young_on = 1
    }
}
#endif
proctype Younger() {
end:
    do
    AT_EITHER(acquire_young)
#ifdef COPY
    AT_EITHER(young_proved)
#endif
    od
}

#ifdef OLDER
/* What epoch 1 left on its way: an ACQUIRE, and the acknowledgement of each boot. Its own gates are not modelled. */
inline acquire_old(s) {
    d_step { MAY_ACQUIRE(OLD, s) -> grant(OLD, s); assert(EpochMonotone_below) }
}
inline end_old(s) {
    d_step { ALIVE(s) && srv[s].lease == OLD && srv[s].state == HELD -> srv[s].state = EXPIRED; forget(s) }
}
#ifdef M_ACK_WITHOUT_LEASE
#define ITS_LEASE(s) true
#else
#define ITS_LEASE(s) (srv[s].lease == OLD)
#endif
inline old_ack(b, s) {
    d_step {
        ALIVE(s) && BUSY(s) && ITS_LEASE(s) && (srv[s].att[b] == HERE || srv[s].att[b] == ELSEWHERE) ->
        srv[s].att[b] = DONE; complete(s)
    }
}
proctype Older() {
end:
    do
    AT_EITHER(acquire_old)
    AT_EITHER(end_old)
    AT_EITHER_OF(old_ack, 0)
    od
}
#endif

/* --- the observer ----------------------------------------------------------------------------------------------- */
#define EXPIRABLE(s) (srv[s].lease == WATCHED && AFTER(srv[s].state, EXPIRE) != NONE)
#define SAME(s) (obs_at == s && obs_seq == srv[s].seq)
/* EXPIRE says whether Q was waited for as well. If not, the server itself looks whether every record is clear, at the
 * instant of the EXPIRE; what a look showed that was taken earlier, at whatever age, does not count. */
#ifdef M_STALE_LOOK
#define SHOWN_CLEAR(s) obs_clear
#define LOOK_SHOWS_MORE(s) (ALL_CLEAR(s) && !obs_clear)
#else
#define SHOWN_CLEAR(s) ALL_CLEAR(s)
#define LOOK_SHOWS_MORE(s) false
#endif
/* An observer that reads a deposed primary matters only to an EXPIRE that is not bound to an incarnation. */
#ifdef M_EXPIRE_WITHOUT_INCARNATION
#define LOOKED_AT(s) ALIVE(s)
#else
#define LOOKED_AT(s) RULES(s)
#endif
inline look(s) {
    d_step {
        LOOKED_AT(s) && EXPIRABLE(s) && (!SAME(s) || LOOK_SHOWS_MORE(s)) ->
#ifdef M_STALE_LOOK
        obs_clear = ALL_CLEAR(s);
#endif
        if
        :: !SAME(s) -> obs_at = s; obs_seq = srv[s].seq; obs_age = 0
        :: else
        fi
    }
}
#ifdef M_EXPIRE_WITHOUT_INCARNATION
#define OBSERVED(s) (obs_seq == srv[s].seq)
#else
#define OBSERVED(s) SAME(s)
#endif
inline expire(s) {
    d_step {
        RULES(s) && EXPIRABLE(s) && OBSERVED(s) && ((SHOWN_CLEAR(s) && obs_age >= W) || obs_age >= W_UNKNOWN) ->
        srv[s].state = AFTER(srv[s].state, EXPIRE); forget(s);
        forget_seen()
    }
}
proctype Observer() {
end:
    do
    AT_EITHER(look)
    od
}
proctype Expirer() {
end:
    do
    AT_EITHER(expire)
    od
}

#ifdef LATE_CLEAR
inline drop_clear() { sent_clear = 0; sent_to = 0; sent_absent = 0 }
#endif
#ifdef EMBARGOES
inline floor(s, e) {
#ifndef M_NO_FLOOR
    if :: srv[s].last < (e) - 1 -> srv[s].last = (e) - 1 :: else fi
#else
    skip
#endif
}
inline clear(s, e) {
    if
    :: srv[s].state == NONE -> srv[s].state = FREE; srv[s].lease = 0; forget(s)
    :: srv[s].state == HELD && srv[s].lease < (e) -> srv[s].state = AFTER(srv[s].state, REVOKE); complete(s)
    :: else
    fi;
    floor(s, e);
    srv[s].cleared = 1
}
#define EMBARGOED(s) (srv[s].state == NONE || !srv[s].cleared)
#ifdef LATE_CLEAR
#define NONE_SENT (sent_clear == 0)
#ifdef M_CLEAR_UNNAMED
#define NAMED(s) true
#define USED_UP false
#else
#define NAMED(s) (sent_absent == (srv[s].state == NONE))
#define USED_UP sent_absent
#endif
#else
#define NONE_SENT true
#endif
inline look_embargo(s) {
    d_step {
        ALIVE(s) && EMBARGOED(s) && emb_at != s + 1 ->
        emb_at = s + 1; emb_age = 0     /* for an absence: its name was made, and this look shows it */
    }
}
inline end_embargo(e, s) {  /* under the target's lock in the database: the epoch is the current one */
    d_step {
        ALIVE(s) && EMBARGOED(s) && emb_at == s + 1 && emb_age >= EMBARGO && db_epoch <= e && NONE_SENT ->
        db_epoch = e;
#ifdef LATE_CLEAR
        sent_clear = e; sent_to = s; sent_absent = (srv[s].state == NONE);
#else
        clear(s, e);
#endif
        emb_at = 0; emb_age = 0
    }
}
#ifdef LATE_CLEAR
inline clear_sent() {
    d_step {
        sent_clear > 0 && ALIVE(sent_to) && NAMED(sent_to) ->
        clear(sent_to, sent_clear);
        if :: USED_UP -> drop_clear() :: else fi
    }
}
inline clear_lost() {
    d_step { sent_clear > 0 -> drop_clear() }
}
#endif
proctype Embargo() {
end:
    do
    AT_EITHER(look_embargo)
    AT_EITHER_OF(end_embargo, WATCHED)
    AT_EITHER_OF(end_embargo, YOUNG)
#ifdef LATE_CLEAR
    :: clear_sent()
    :: clear_lost()
#endif
    od
}
#endif

/* --- time ------------------------------------------------------------------------------------------------------- */
inline tick(b) {
    if
    :: flight[b] > 1 && left[b] == 0 -> flight[b]--
    :: flight[b] == 1 && left[b] == 0 -> landed(b)
    :: else
    fi;
    if :: SHOWN(b, 1) < BUDGET -> SHOWN(b, 1) = SHOWN(b, 1) + 1 :: else fi;
#if SEQS > 2
    if :: SHOWN(b, 2) < BUDGET -> SHOWN(b, 2) = SHOWN(b, 2) + 1 :: else fi;
#endif
#if SEQS > 3
    if :: SHOWN(b, 3) < BUDGET -> SHOWN(b, 3) = SHOWN(b, 3) + 1 :: else fi;
#endif
#ifdef LATE_REPLY
    if :: ans[b] == 2 && ans_ago[b] < BUDGET -> ans_ago[b]++ :: else fi;
#endif
    if
    :: left[b] > 0 ->
       left[b]--;
       if :: left[b] == 0 -> cut(b) :: else fi
    :: else
    fi
}
proctype Clock() {
end:
    do
    :: d_step {
        true ->
        tick(0);
#if BOOTS > 1
        tick(1);
#endif
#if BOOTS > 2
        tick(2);
#endif
        sort_boots();
        if :: renewed_ago < BUDGET -> renewed_ago++ :: else fi;
        if :: obs_seq > 0 && obs_age < W_UNKNOWN -> obs_age++ :: else fi;
#ifdef EMBARGOES
        if :: emb_at > 0 && emb_age < EMBARGO -> emb_age++ :: else fi
#endif
       }
    od
}

/* --- faults of Redis, and the judge ------------------------------------------------------------------------------ */
#ifdef COPY
inline copy_record(b) {
    srv[1].att[b] = (srv[0].att[b] == HERE -> ELSEWHERE : srv[0].att[b])
}
#endif
#ifdef DELETES
inline delete(s) {
    d_step {
        ALIVE(s) && deletes < DELETES && srv[s].state != NONE ->
        deletes++;
        srv[s].state = NONE; srv[s].lease = 0; srv[s].last = 0; forget(s);
        if :: emb_at == s + 1 -> emb_at = 0; emb_age = 0 :: else fi
    }
}
#endif
#ifdef LOSES_RECORDS
inline lose_records(s) {
    d_step {
        RULES(s) && BUSY(s) && (SOME(s, HERE) || SOME(s, ELSEWHERE) || SOME(s, DONE)) ->
        srv[s].att[0] = ABSENT;
#if BOOTS > 1
        srv[s].att[1] = ABSENT;
#endif
#if BOOTS > 2
        srv[s].att[2] = ABSENT;
#endif
        srv[s].lost = 1
    }
}
#endif
/* "Grantable at the cleared server => nothing is open or in flight": stands for a grant at that very moment. */
#define EARLY(s) (srv[s].cleared && AFTER(srv[s].state, ACQUIRE) != NONE && !NoEarlyGrant)
proctype Faults() {
end:
    do
#ifdef COPY
    :: d_step {
        !copied ->
        copied = 1;
        srv[1].state = srv[0].state; srv[1].lease = srv[0].lease; srv[1].last = srv[0].last; srv[1].seq = srv[0].seq;
#ifdef LOSES_RECORDS
        srv[1].lost = srv[0].lost;
#endif
        copy_record(0);
#if BOOTS > 1
        copy_record(1);
#endif
#if BOOTS > 2
        copy_record(2);
#endif
        copy_seq = (srv[0].lease == WATCHED -> srv[0].seq : 0);
        copy_young = (srv[0].lease == YOUNG);
        sort_boots()
       }
    :: d_step {
        copied && !promoted ->
        promoted = 1;
#ifdef RESTART
        srv[0].state = NONE; srv[0].lease = 0; srv[0].last = 0; srv[0].cleared = 0; forget(0)
#endif
       }
#endif
#ifdef EMPTY
    :: d_step {
        !promoted ->
        promoted = 1;
        srv[0].state = NONE; srv[0].lease = 0; srv[0].last = 0; srv[0].cleared = 0; forget(0)
       }
#endif
#ifdef DELETES
    AT_EITHER(delete)
#endif
#ifdef LOSES_RECORDS
    AT_EITHER(lose_records)
#endif
    :: d_step { !OneSigner -> assert(OneSigner) }
#ifdef BOTH_SERVERS
    :: d_step { !promoted && EARLY(0) -> assert(NoEarlyGrant) }
    :: d_step { promoted && EARLY(1) -> assert(NoEarlyGrant) }
#else
    :: d_step { EARLY(0) -> assert(NoEarlyGrant) }
#endif
    od
}

init {
    d_step {
        srv[0].state = FREE; srv[0].cleared = 1;
        renewed_ago = BUDGET;
        canonical(0); gate[0] = LIVE;
#if BOOTS > 1
        canonical(1); gate[1] = LIVE;
#endif
#if BOOTS > 2
        canonical(2); gate[2] = LIVE;
#endif
#ifdef REBOOT
        gate[BOOTS - 1] = UNBORN
#endif
    }
    atomic {
        run Clock(); run Holder(); run Younger(); run Observer(); run Faults();
#ifndef M_NO_OBSERVER
        run Expirer();
#endif
#ifdef OLDER
        run Older();
#endif
#ifdef EMBARGOES
        run Embargo();
#endif
        run Proxy(0);
#if BOOTS > 1
        run Proxy(1);
#endif
#if BOOTS > 2
        run Proxy(2);
#endif
    }
}

#ifdef LIVENESS
ltl EventuallyGranted { <> young_on }
#endif
