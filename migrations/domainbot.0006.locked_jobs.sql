-- A job that ends announces the next one with its lock, which would else be found by polling.
-- depends: domainbot.0003.jobs

create trigger job_lock_is_free after update of status on procrastinate_jobs
for each row when (old.status = 'doing' and new.status <> 'doing' and new.lock is not null)
execute procedure procrastinate_notify_queue_job_inserted_v1();
