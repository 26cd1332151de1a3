#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Users that share a segment through a group, and one that does not: permissions, umask, sticky directories."""
import errno
import os
import shutil
import stat

from proc_helper import BUILD, HELPER, Directory, Helper, check, equal, main, skip

ALICE, BOB, MALLORY = 12001, 12002, 12003	# accounts need not exist
GROUP = 12100


def user(uid, groups=(), **kwargs):
    return {'user': uid, 'group': uid, 'extra_groups': list(groups), **kwargs}


class Programs:
    """A copy of the helper and the library where every user may read them."""

    def __enter__(self):
        self.directory = Directory()
        d = self.directory.__enter__()
        shutil.copy(HELPER, d + '/helper')
        shutil.copy(BUILD + '/libshardmeter.so.0', d)
        os.chmod(d + '/helper', 0o755)
        os.chmod(d + '/libshardmeter.so.0', 0o755)
        self.kwargs = {'helper': d + '/helper', 'env': {'LD_LIBRARY_PATH': d}}
        return self

    def __exit__(self, *_):
        self.directory.__exit__()

    def start(self, who, **env):
        kwargs = {**self.kwargs, 'env': {**self.kwargs['env'], **env}}
        return Helper(**kwargs, **who)


def users__of_one_group__write_one_segment():
    with Directory(0o1777) as d, Programs() as p:
        segment = d + '/segment'
        group = {'SHARDMETER_GROUP': str(GROUP)}
        with p.start(user(ALICE, [GROUP], umask=0o077), **group) as alice, \
                p.start(user(BOB, [GROUP]), **group) as bob, \
                p.start(user(MALLORY)) as mallory, Helper() as root:
            alice.do('open', segment, 'alice')
            st = os.stat(segment)
            equal(stat.S_IMODE(st.st_mode), 0o660, 'mode')
            equal((st.st_uid, st.st_gid), (ALICE, GROUP), 'owner')
            bob.do('open', segment, 'bob')
            for who in (alice, bob):
                who.do('counter', 'c_total', '-', '-', 4)
                who.do('heartbeat')
            equal(root.do('total', segment, 'c_total'), '8', 'total')
            # Both alive, both seen so by the other.
            equal(alice.do('writers', segment).count(':live:'), 2, 'live writers')
            equal(bob.do('writers', segment).count(':live:'), 2, 'live writers')
            # One who is not in the group: one clear error, and a program that goes on.
            message = mallory.refused(errno.EACCES, 'open', segment, 'mallory')
            for part in (segment, f'uid {ALICE}', f'gid {GROUP}', f'uid {MALLORY}', 'SHARDMETER_GROUP'):
                check(part in message, f'"{part}" is not in "{message}"')
            mallory.refused(errno.EACCES, 'counter', 'c_total', '-', '-', 100)
            message = mallory.refused(errno.EACCES, 'total', segment, 'c_total')
            check(f'uid {ALICE}' in message, f'no owner in "{message}"')
            mallory.refused(errno.EACCES, 'heartbeat')
            equal(root.do('total', segment, 'c_total'), '8', 'total')
            # The creator goes, the other stays; the creator comes back and goes on.
            alice.kill()
            bob.do('counter', 'c_total', '-', '-', 1)
            with p.start(user(ALICE, [GROUP]), **group) as again:
                again.do('open', segment, 'alice')
                again.do('counter', 'c_total', '-', '-', 2)
                equal(again.do('name'), 'alice')
            equal(root.do('total', segment, 'c_total'), '11', 'total')


def user__alone__locks_others_out_with_a_remedy():
    with Directory(0o1777) as d, Programs() as p:
        segment = d + '/segment'
        with p.start(user(ALICE)) as alice, p.start(user(BOB)) as bob:
            alice.do('open', segment, 'alice')
            equal(stat.S_IMODE(os.stat(segment).st_mode), 0o640, 'mode')
            message = bob.refused(errno.EACCES, 'open', segment, 'bob')
            check(f'uid {ALICE}' in message and 'SHARDMETER_GROUP' in message, message)


def group__that_one_is_not_in__is_said_so():
    with Directory(0o1777) as d, Programs() as p:
        with p.start(user(ALICE), SHARDMETER_GROUP=str(GROUP)) as alice:
            message = alice.refused(errno.EPERM, 'open', d + '/segment', 'alice')
            check(str(GROUP) in message, message)
            check(not os.path.exists(d + '/segment'), 'a half-made file was left')


def directory__that_one_may_not_enter__is_said_so():
    with Directory(0o700) as d, Programs() as p:
        with p.start(user(ALICE)) as alice:
            message = alice.refused(errno.EACCES, 'open', d + '/segment', 'alice')
            check(d in message, message)


def file__that_a_stranger_laid_there_for_all__is_not_trusted():
    with Directory(0o1777) as d, Programs() as p:
        segment = d + '/segment'
        with p.start(user(MALLORY)) as mallory, p.start(user(ALICE)) as alice:
            mallory.do('open', segment, 'mallory')
            os.chmod(segment, 0o666)
            message = alice.refused(errno.EACCES, 'open', segment, 'alice')
            check(f'uid {MALLORY}' in message, message)
            os.chmod(segment, 0o640)
            os.chown(segment, 0, 0)
            os.chmod(segment, 0o666)		# root's own is
            alice.do('open', segment, 'alice')
            alice.do('counter', 'c_total', '-', '-', 1)


def users__who_create_at_the_same_time__share_one_file():
    group = {'SHARDMETER_GROUP': str(GROUP)}
    for _ in range(10):
        with Directory(0o1777) as d, Programs() as p:
            segment = d + '/segment'
            with p.start(user(ALICE, [GROUP]), **group) as alice, \
                    p.start(user(BOB, [GROUP]), **group) as bob, Helper() as root:
                alice.send('open', segment, 'alice')
                bob.send('open', segment, 'bob')
                alice.answer()
                bob.answer()
                alice.do('counter', 'c_total', '-', '-', 1)
                bob.do('counter', 'c_total', '-', '-', 1)
                equal(root.do('total', segment, 'c_total'), '2', 'total')


if __name__ == '__main__':
    if os.geteuid():
        skip('needs root, to become two users')
    main([users__of_one_group__write_one_segment,
          user__alone__locks_others_out_with_a_remedy,
          group__that_one_is_not_in__is_said_so,
          directory__that_one_may_not_enter__is_said_so,
          file__that_a_stranger_laid_there_for_all__is_not_trusted,
          users__who_create_at_the_same_time__share_one_file])
